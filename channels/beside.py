"""A thread beside the event loop, for what takes long."""

from asyncio import get_running_loop
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Beside:
    """One thread, made when it is first needed: what it is given is done in turn, while the loop goes on."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: ThreadPoolExecutor | None = None

    async def __call__(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, self._name)
        return await get_running_loop().run_in_executor(self._thread, work)
