"""A clock that only the simulation moves: an event loop whose time jumps to the next thing that happens.

Also here: which simulated process a task belongs to, so that `kill -9` ends exactly the tasks of one process.
"""

import asyncio
import contextvars
import selectors
from collections import deque

BASE = 1_700_000_000.0
"""Wall clock (epoch seconds) at the start of every run."""

owner: contextvars.ContextVar = contextvars.ContextVar("process", default=None)


class Deadlock(Exception):
    """Everybody waits and nothing is planned."""


class _NoSockets(selectors.DefaultSelector):
    """Nothing ever comes over a socket: instead of waiting, time passes."""

    loop = None

    def select(self, timeout=None):
        if timeout is None:
            raise Deadlock("every task waits for something that nobody will do")
        if timeout > 0:
            self.loop.pass_time(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio, with virtual seconds."""

    def __init__(self):
        self._virtual = 0.0
        selector = _NoSockets()
        selector.loop = self
        super().__init__(selector)
        self._clock_resolution = 1e-9  # nothing runs before its time, or two who wait for a moment never let it come
        self.set_task_factory(_register)
        self.complaints = deque(maxlen=20)
        self.set_exception_handler(lambda _loop, context: self.complaints.append(context))

    def time(self):
        return self._virtual

    def pass_time(self, seconds):
        due = self._scheduled[0].when() if self._scheduled else self._virtual + seconds
        # a microsecond at least: the wall clock, a large number, cannot tell less apart, and somebody may wait for it
        self._virtual = max(self._virtual + 1e-6, min(self._virtual + seconds, due))


def _register(loop, coro, **kwargs):
    task = asyncio.Task(coro, loop=loop, **kwargs)
    context = kwargs.get("context")
    process = context[owner] if context is not None and owner in context else owner.get()
    if process is not None:
        process.tasks[task] = None
        task.add_done_callback(process.forget)
    return task


class Wall:
    """The wall clock of one machine: `skew` is how far it has been set forward or back."""

    def __init__(self, loop):
        self._loop = loop
        self.skew = 0.0

    def now(self):
        return BASE + self._loop.time() + self.skew

    def monotonic(self):
        return self._loop.time()

    def true(self):
        return BASE + self._loop.time()
