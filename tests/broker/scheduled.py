"""A worker whose clock is `AHEAD` seconds ahead of the machine's, and which looks at five customers a slice.

As a program: `python -m tests.broker.scheduled`. With `DIES=NUMBER` it kills itself between the records of the step that looks at
the slice of this number, and their commit.
"""

import os
import signal
import sys

from agents.sweeps import Sweeps
from app.clock import SystemClock
from app.engine.run import run
from app.engine.topology import engine_app
from app.settings import load

SLICE = 5


class Ahead(SystemClock):
    """The machine's clock, set ahead."""

    def now(self):
        return super().now() + float(os.environ["AHEAD"])


def main():
    settings, clock = load(), Ahead()
    slices, last = [0], int(os.environ.get("DIES", "0"))
    go_on, Sweeps.__init__.__defaults__ = Sweeps.go_on, (SLICE,)

    def counted(self, *what):
        go_on(self, *what)
        slices[0] += 1

    def fault(point):
        if point == "produced" and 0 < last <= slices[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    Sweeps.go_on = counted
    return run(settings, settings.worker_port, lambda: engine_app(settings, clock, fault=fault), clock)


if __name__ == "__main__":
    sys.exit(main())
