"""What goes on beside the agents of an app, as long as that runs."""

import asyncio
import logging

from app.ending import end

log = logging.getLogger(__name__)


class Beside:
    """A task that is attached to an app: begun with it, cancelled at its end."""

    def __init__(self, name: str) -> None:
        """`name` is the task's."""
        self._called = name
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name=self._called)
        self._task.add_done_callback(_tell)

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            await end(self._task)

    async def _run(self) -> None:
        raise NotImplementedError


def _tell(task: asyncio.Task[None]) -> None:
    """A task that has failed does nothing any more, and nobody waits for it: the log says so."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log.error("%s has ended: %r", task.get_name(), error, exc_info=error)
