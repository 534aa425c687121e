"""What goes on beside the agents of an app, as long as that runs."""

import asyncio
import contextlib


class Beside:
    """A task that is attached to an app: begun with it, cancelled at its end."""

    def __init__(self, name: str) -> None:
        """`name` is the task's."""
        self._called = name
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name=self._called)

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        raise NotImplementedError
