"""One partition of the ledger as the sender holds it: what is unsettled, and a group commit.

Whoever has something to write puts it on the desk; everything that has gathered while the last transaction was being written
goes into the next one. So the number of transactions does not grow with the number of messages.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from tables.step import Partition, Step

T = TypeVar("T")
MOST_AT_ONCE = 256
"""Transitions in one transaction."""
MOST_GATHERING = 0.005
"""Seconds that a transaction waits for more to write, when the last one has only just ended."""


class Ledger(Protocol):
    """What the sender needs of the fenced table."""

    @property
    def parts(self) -> Any:
        """Partition number -> `Partition`."""
        ...

    async def run(self, partition: int, work: Callable[[Step], None]) -> bool:
        """One step; False: the partition is not ours."""
        ...

    async def ends(self, partition: int) -> dict[str, int]:
        """Input topic -> the offset that its next record will get."""
        ...


class PartitionLost(Exception):  # noqa: N818 - a state, not a programming error
    """The partition is not ours any more; nothing was written."""


class Desk:
    """The desk of one partition."""

    def __init__(self, table: Ledger, part: Partition) -> None:
        self.number = part.number
        self.rows = part.rows
        self.part = part
        self.unsettled: dict[str, float] = {}
        """Key of each unsettled message -> when it was claimed, oldest first."""
        self.busy: dict[str, list[str]] = {}
        """Address that is being spoken to -> keys that wait for that to end."""
        self.ready = False
        """The inputs have been read up to the end: cancellations that were waiting there are known."""
        self.closed = False
        """Nothing of this partition may be said any more."""
        self._table = table
        self._waiting: list[tuple[Callable[[Step], Any], asyncio.Future[Any]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._ended = self._took = 0.0

    @property
    def speaks(self) -> bool:
        """Whether messages of this partition may be said."""
        return self.ready and not self.closed

    async def commit(self, work: Callable[[Step], T]) -> T:
        """Run `work` in the next step and return its result once that is written. Raises PartitionLost.

        What `work` raises is raised here, and must be raised before it changes anything.
        """
        if self.closed:
            raise PartitionLost
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name=f"ledger-{self.number}")
        return await asyncio.shield(done)

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            await self._gather(loop.time())
            began = loop.time()
            batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            results: list[tuple[Any, BaseException | None]] = []

            def work(step: Step, batch: Any = batch, results: Any = results) -> None:
                results.extend(_attempt(one, step) for one, _ in batch)

            try:
                written = await self._table.run(self.number, work)
            except Exception:
                # the table has stopped the process; nobody may believe that anything was written
                written = False
            if not written:
                self.close()
                results = [(None, PartitionLost())] * len(batch)
            for (_, done), (value, error) in zip(batch, results, strict=True):
                _tell(done, value, error)
            self._ended = loop.time()
            self._took = self._ended - began

    async def _gather(self, now: float) -> None:
        """Under load, wait a moment for those who are about to come: messages spoken side by side end nearly together."""
        if now - self._ended < self._took:
            await asyncio.sleep(min(self._took / 4.0, MOST_GATHERING))

    def close(self) -> None:
        """The partition is not ours any more."""
        self.closed = True
        waiting, self._waiting = self._waiting, []
        for _, done in waiting:
            _tell(done, None, PartitionLost())

    async def drain(self) -> None:
        """Wait until everything on the desk is written."""
        if self._writer is not None:
            await asyncio.wait({self._writer})


def _attempt(work: Callable[[Step], Any], step: Step) -> tuple[Any, BaseException | None]:
    try:
        return work(step), None
    except Exception as error:
        return None, error


def _tell(done: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(value)
    else:
        done.set_exception(error)
        done.exception()  # the one who asked may have been cancelled: then nobody looks, and that is fine
