"""Ends tasks, and waits until they have ended.

Telling a task once is not enough. `asyncio.wait_for` of Python 3.11 forgets that it was cancelled when what it waits for is there at the
same moment (https://github.com/python/cpython/issues/86296), and redis-py waits in such ways: the task then goes on with its loop, and who
waits for its end waits for ever.
"""

import asyncio
from typing import Any

AGAIN_SECONDS = 0.25
"""After which a task that has not ended is told again."""


async def end(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks until they have ended. What they raise is theirs, and forgotten."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)
