"""A clock that only the simulation moves: an event loop whose time jumps to the next thing that happens.

Also here: which simulated process a task belongs to, so that `kill -9` ends exactly the tasks of one process.
"""

import asyncio
import contextvars
import itertools
from collections import deque
from heapq import heappop, heappush

BASE = 1_700_000_000.0
"""Wall clock (epoch seconds) at the start of every run."""

owner: contextvars.ContextVar = contextvars.ContextVar("process", default=None)


class Deadlock(Exception):
    """Everybody waits and nothing is planned."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio, with virtual seconds. There are no sockets: instead of waiting for one, time passes.

    What is planned lies in a heap of (moment, number, handle), which compares in C: of what is planned for one moment the older comes first.
    (The heap of asyncio's own loop leaves their order to chance: the same runs but for those, in which two processes begin at once.)
    """

    def __init__(self):
        self._virtual = 0.0
        super().__init__()
        self._agenda = []
        self._numbers = itertools.count()
        self.set_task_factory(_register)
        self.complaints = deque(maxlen=20)
        self.set_exception_handler(lambda _loop, context: self.complaints.append(context))

    def time(self):
        return self._virtual

    def call_at(self, when, callback, *args, context=None):
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heappush(self._agenda, (when, next(self._numbers), timer))
        return timer

    def call_later(self, delay, callback, *args, context=None):
        return self.call_at(self._virtual + delay, callback, *args, context=context)

    async def nap(self, seconds):
        """As `asyncio.sleep`, which every call of a process asks for, without what a loop of other people's needs."""
        future = self.create_future()
        self.call_at(self._virtual + seconds, _end_nap, future)
        await future

    def call_soon(self, callback, *args, context=None):
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def _run_once(self):
        """One round: what has come due, then everything that was ready when the round began."""
        agenda, ready = self._agenda, self._ready
        while agenda and agenda[0][2]._cancelled:
            heappop(agenda)
        if not ready and not self._stopping:
            if not agenda:
                raise Deadlock("every task waits for something that nobody will do")
            if agenda[0][0] > self._virtual:
                # a microsecond at least: the wall clock, a large number, cannot tell less apart, and somebody may wait for it
                self._virtual = max(self._virtual + 1e-6, agenda[0][0])
        # nothing runs before its time, or two who wait for a moment never let it come
        end = self._virtual + 1e-9
        while agenda and agenda[0][0] < end:
            ready.append(heappop(agenda)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()


def _end_nap(future):
    if not future.done():
        future.set_result(None)


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
