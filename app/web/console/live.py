"""The live feed as a whole: hub, tail, and the figures above it. Works only while somebody watches."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from app.clock import Clock
from app.ending import end
from app.errors import JournalDownError
from app.explain import Tone, tone_of
from app.model.reasons import Reason
from app.settings import Settings
from app.web.console.feed import Client, Feed
from app.web.console.tail import Tail

if TYPE_CHECKING:  # SQLAlchemy is loaded when it is needed
    from app.journal_store import JournalStore

COUNT_SECONDS = 2.0
DAY = 86_400.0


def summary(reasons: dict[str, int]) -> dict[str, int]:
    """Counts by reason as the figures that people ask for."""
    held = sum(count for reason, count in reasons.items() if tone_of(reason) in (Tone.HELD, Tone.FAILED))
    return {"triggers": reasons.get(Reason.FIRED, 0), "sent": reasons.get(Reason.SENT, 0), "held": held}


class Live:
    """Gives clients to the stream, and reads for them."""

    def __init__(self, settings: Settings, clock: Clock, store: "Callable[[], JournalStore]") -> None:
        """`store` is called in a worker thread, when figures are wanted for the first time."""
        self._clock = clock
        self._store = store
        self.feed = Feed(f"{int(clock.now() * 1000):x}")
        self._tail = Tail(settings, self.feed)
        self._counting: asyncio.Task[None] | None = None

    def join(self, last_id: str) -> Client:
        """A page has opened, or come back."""
        client = self.feed.join(last_id)
        self._tail.wake()
        if self._counting is None or self._counting.done():
            self._counting = asyncio.create_task(self._count(), name="console-counts")
        return client

    async def stop(self) -> None:
        """End every stream and stop reading."""
        self.feed.close()
        if self._counting is not None:
            await end(self._counting)
        await self._tail.stop()

    async def _count(self) -> None:
        """Keep the figures fresh. A slow database is asked less often: at most a tenth of its time goes into counting."""
        events, at = self.feed.totals["events"], self._clock.monotonic()
        while self.feed.clients:
            started = self._clock.monotonic()
            figures: dict[str, Any] = {}
            with contextlib.suppress(JournalDownError):
                figures = summary(await asyncio.to_thread(self.reasons))
            took = self._clock.monotonic() - started
            total, now = self.feed.totals["events"], self._clock.monotonic()
            rate = round((total - events) / (now - at)) if now > at else 0
            events, at = total, now
            self.feed.note("counts", {"counts": {"events": total, **figures}, "rate": rate})
            await asyncio.sleep(max(COUNT_SECONDS, took * 10))

    def reasons(self) -> dict[str, int]:
        """Journal lines of the last 24 hours by reason. Blocks."""
        return self._store().counts(self._clock.now() - DAY)
