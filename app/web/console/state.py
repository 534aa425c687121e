"""What the console's handlers share: the stores and the live feed. SQLAlchemy is loaded when the journal is first asked for."""

import asyncio
import threading
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

from starlette.requests import Request

from app.clock import Clock
from app.inbox import InboxStore
from app.model.journal import StoredLine
from app.settings import Settings
from app.under_way import Journeys, journeys_of
from app.web.console.boardroom import Boardroom
from app.web.console.live import Live
from app.worth import ScenarioWorth, worth_of

if TYPE_CHECKING:
    from app.journal_store import JournalStore


Answer = TypeVar("Answer")
DAY = 86_400.0
WORTH_FOR = 20.0
"""Seconds for which what is asked over a period is not worked out anew."""


class Periods(Generic[Answer]):
    """Answers to one question over the last days, each kept for `WORTH_FOR` seconds, the last four of them."""

    def __init__(self, asking: asyncio.Lock, question: Callable[[float, float], list[Answer]]) -> None:
        """`question` blocks; it gets the period, since and until when, in epoch seconds."""
        self._asking, self._question = asking, question
        self._known: dict[int, tuple[float, list[Answer]]] = {}

    async def ask(self, days: int, now: float) -> list[Answer]:
        """The answer for the last `days` before `now` (epoch seconds)."""
        known = self._known.get(days)
        if known is not None and 0 <= now - known[0] < WORTH_FOR:
            return known[1]
        async with self._asking:
            if self._known.get(days) is not known:
                return self._known[days][1]  # somebody else has asked meanwhile
            found = await asyncio.to_thread(self._question, now - days * DAY, now)
            self._known = {**dict(list(self._known.items())[-3:]), days: (now, found)}
        return found


class Console:
    """One per process. `open_journal` and what uses it block; call them in a worker thread."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Opens the inbox's file, and nothing else yet."""
        self.settings, self.clock = settings, clock
        self.inbox = InboxStore(settings.data / "inbox.sqlite", clock)
        self.live = Live(settings, clock, self.open_journal)
        self.boardroom = Boardroom(settings, clock)
        self._journal: JournalStore | None = None
        self._lock = threading.Lock()
        asking = asyncio.Lock()  # one question over a period at a time: it may read much
        self._worth = Periods(asking, lambda since, now: worth_of(self.open_journal().worth(since, now)))
        self._journeys = Periods(asking, lambda since, now: journeys_of(self.open_journal().journeys(since), now))

    def open_journal(self) -> "JournalStore":
        """The journal, opened at the first call. Raises JournalDownError."""
        from app.journal_store import JournalStore

        with self._lock:
            if self._journal is None:
                self._journal = JournalStore(self.settings.sql_url)
            return self._journal

    async def story(self, customer: str, scenario: str, limit: int, before: int) -> list[StoredLine]:
        """Lines about a customer and the keys linked to it."""

        def read() -> list[StoredLine]:
            return self.open_journal().for_customer(customer, scenario or None, None, limit, before)

        return await asyncio.to_thread(read)

    async def worth(self, days: int) -> list[ScenarioWorth]:
        """What scenarios did and brought in the last `days`; asked again soon, it is what it was."""
        return await self._worth.ask(days, self.clock.now())

    async def journeys(self, days: int) -> list[Journeys]:
        """Where customers stand in scenarios with steps, by the last `days`; asked again soon, it is what it was."""
        return await self._journeys.ask(days, self.clock.now())

    @cached_property
    def currency(self) -> str:
        """The policy's currency, in which messages are paid; empty where it names none, or cannot be read."""
        from agents.policy import PolicyError, load_policy

        try:
            return load_policy(self.settings.policy).currency
        except PolicyError:
            return ""

    def check(self) -> None:
        """Raise JournalDownError when the journal has been opened and does not answer any more."""
        if self._journal is not None:
            self._journal.recent(1)

    async def close(self) -> None:
        """Close everything."""
        await self.live.stop()
        await self.boardroom.stop()
        if self._journal is not None:
            self._journal.close()
        self.inbox.close()


def console_of(request: Request) -> Console:
    """The console that answers this request."""
    console: Console = request.app.state.console
    return console
