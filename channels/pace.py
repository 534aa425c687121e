"""As fast as a provider allows in each chat, and a burst as one digest. The next of a chat wait here for their turn, the rest in its lane.

A chat that is told more than `many` alerts in a minute gets those that wait as one message. Every message still asks for its own
irreversible moment and gets its own answer: a digest is many messages that are handed over together.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from channels.channel import Ambiguous, Answer, Irreversible, Later, Rendered, Retry

MINUTE = 60.0
MOST_CHATS = 1_000
"""Chats whose pace is remembered; the one that was quiet longest is forgotten first."""
LONGEST_TURN = 5.0
"""Seconds that the next message of a chat waits here for its turn; with a longer pause it waits in its lane."""
SOONEST = 0.05
"""Seconds after which a message that waits in its lane comes again at the earliest."""
MOST_WAITING = 4
"""Messages that cannot be bundled and wait here for one chat, and hold a place that others could speak from; the rest waits in its lane."""


class Pace(NamedTuple):
    """`every`: seconds between two messages to a chat. `many`: alerts of a minute, changes not counted, after which the rest is bundled.

    `together`: the most that one digest holds; 1: no digests.
    """

    every: float
    many: int = 10
    together: int = 30


class _Turn:
    """A message that waits for its turn, and the answer that it got."""

    def __init__(self, message: Rendered, irreversible: Irreversible) -> None:
        self.message, self._irreversible = message, irreversible
        self.granted = False
        self.answer: Answer | None = None
        self.error: BaseException | None = None

    @property
    def done(self) -> bool:
        return self.answer is not None or self.error is not None

    async def grant(self) -> None:
        if self.granted or self.error is not None:
            return
        try:
            await self._irreversible()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.error = error
        else:
            self.granted = True


class _Chat:
    """One chat: whose turn it is, who waits, and which alerts were told in the last minute."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.waiting: list[_Turn] = []
        self.next_at = 0.0
        self.said: deque[float] = deque()
        self.later_at = {True: 0.0, False: 0.0}
        """Whether it can be bundled -> when the last of those comes again that were told to wait in the lane."""


class Fewer(Exception):  # noqa: N818 - not an error: some messages of the digest were withheld
    """Not all messages that were asked for may be spoken: make the request again from those that may."""


Hand = Callable[[str, Sequence[Rendered], Irreversible], Awaitable[Answer]]
"""(chat, messages, irreversible) -> answer. Hands one message over, or several as one digest; awaits `irreversible` right before.
Lets `Fewer` pass."""


class Pacing:
    """Gives every message its turn. `pace(chat)` says how fast; `hand` speaks. `monotonic` counts seconds."""

    def __init__(self, pace: Callable[[str], Pace], hand: Hand, monotonic: Callable[[], float]) -> None:
        self._pace, self._hand, self._monotonic = pace, hand, monotonic
        self._chats: OrderedDict[str, _Chat] = OrderedDict()

    async def speak(self, chat: str, message: Rendered, irreversible: Irreversible) -> Answer:
        """Hand a message over in its turn, alone or in a digest."""
        queue, turn = self._queue(chat), _Turn(message, irreversible)
        later = self._later(chat, queue, message)
        if later is not None:
            return later
        queue.waiting.append(turn)
        try:
            async with queue.lock:
                if not turn.done:
                    wait = queue.next_at - self._monotonic()
                    if wait > LONGEST_TURN:
                        return Later(wait)
                    if wait > 0:
                        await asyncio.sleep(wait)
                    await self._take_turn(chat, queue, turn)
        finally:
            if turn in queue.waiting:
                queue.waiting.remove(turn)
        if turn.error is not None:
            raise turn.error
        assert turn.answer is not None, "answered in its turn"
        return turn.answer

    def _later(self, chat: str, queue: _Chat, message: Rendered) -> Later | None:
        """When to come again, where enough of a chat wait already: one busy chat must not keep the others from speaking."""
        pace, now, bundled = self._pace(chat), self._monotonic(), message.bundled
        wait = max(queue.next_at - now, 0.0)
        together = pace.together if bundled else 1
        waiting = sum(one.message.bundled == bundled for one in queue.waiting)
        if waiting < max(together, MOST_WAITING) and wait <= LONGEST_TURN:
            return None
        turn = max(wait, pace.every * waiting / together, SOONEST)
        after_others = queue.later_at[bundled] + pace.every / together
        queue.later_at[bundled] = min(max(now + turn, after_others), now + max(turn, MINUTE))
        return Later(queue.later_at[bundled] - now)

    def _queue(self, chat: str) -> _Chat:
        queue = self._chats.setdefault(chat, _Chat())
        self._chats.move_to_end(chat)
        while len(self._chats) > MOST_CHATS:
            idle = next((name for name, other in self._chats.items() if not other.waiting), None)
            if idle is None or idle == chat:
                break
            del self._chats[idle]
        return queue

    async def _take_turn(self, chat: str, queue: _Chat, turn: _Turn) -> None:
        """Speak for `turn`, and for all that wait if there are too many of them."""
        pace, now = self._pace(chat), self._monotonic()
        while queue.said and queue.said[0] <= now - MINUTE:
            queue.said.popleft()
        batch = [turn]
        bundled = [other for other in queue.waiting if other.message.bundled]
        if turn.message.bundled and len(queue.said) + len(bundled) > pace.many and pace.together > 1:
            batch = [turn, *(other for other in bundled if other is not turn)][: pace.together]
        for one in batch:
            queue.waiting.remove(one)
        try:
            await self._speak(chat, batch)
        except BaseException:
            self._give_back(queue, batch, turn)
            raise
        finally:
            spoken = [self._monotonic() for one in batch if one.granted]
            if spoken:
                queue.next_at = max(queue.next_at, spoken[-1] + pace.every)
            queue.said.extend(self._monotonic() for one in batch if one.granted and one.message.bundled)
        after = max((one.answer.after or 0.0 for one in batch if isinstance(one.answer, Retry)), default=0.0)
        queue.next_at = max(queue.next_at, self._monotonic() + after)

    async def _speak(self, chat: str, batch: list[_Turn]) -> None:
        while True:
            going = [one for one in batch if one.error is None]

            async def grant(going: list[_Turn] = going) -> None:
                await asyncio.gather(*(one.grant() for one in going))
                if any(one.error is not None for one in going):
                    raise Fewer

            if not going:
                return
            try:
                answer = await self._hand(chat, [one.message for one in going], grant)
            except Fewer:
                continue
            for one in going:
                one.answer = answer
            return

    @staticmethod
    def _give_back(queue: _Chat, batch: list[_Turn], leader: _Turn) -> None:
        """The one who spoke for all was stopped: nobody knows of those that were granted, the others wait on."""
        for one in batch:
            if one is leader or one.error is not None:
                continue
            if one.granted:
                one.answer = Ambiguous("stopped while it was being said")
            else:
                queue.waiting.append(one)
