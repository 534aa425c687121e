"""Child processes that end with us: started on a leash, stopped by pid, orphans recognised before they are ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from app.embedded.logs import ChildLog
from app.errors import CommandError

LEASH = Path(__file__).with_name("leash.py")
PROBE_INTERVAL = 0.02
"""Seconds between two looks at a process that is starting or stopping."""


class StartError(CommandError):
    """A process ended, or did not become ready in time. The text says which, with the end of its log."""


class Process:
    """One child process in a session of its own (Ctrl-C reaches only us), its output followed by a ChildLog."""

    def __init__(
        self, name: str, command: Sequence[str | Path], log: ChildLog, environ: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        self.command = [str(word) for word in command]
        leash = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid())]
        self._popen = subprocess.Popen(  # noqa: S603 - no shell; the command is ours
            [*leash, *self.command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environ,
            start_new_session=True,
            bufsize=-1,
        )
        assert self._popen.stdout is not None
        log.follow(self._popen.stdout)

    @property
    def pid(self) -> int:
        """Its process id, also after it has ended."""
        return self._popen.pid

    def status(self) -> int | None:
        """Its exit status (negative: the signal that ended it), or None while it runs."""
        return self._popen.poll()

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens when it has ended."""
        self._popen.send_signal(number)

    def stop(self, timeout: float = 5.0) -> int:
        """End it: SIGTERM, and SIGKILL after `timeout` seconds. Returns its exit status."""
        self.signal(signal.SIGTERM)
        try:
            status = self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            status = self._popen.wait()
        self.log.join()
        return status

    def died(self) -> StartError:
        """The error that tells of its end."""
        self.log.join()
        return StartError(f"{self.name} ended with status {self.status()}: {excerpt(self.log)}")

    def wait_ready(self, probe: Callable[[], bool], timeout: float) -> float:
        """Block until `probe` holds; returns the seconds it took. Raises StartError. The async way is in the supervisor."""
        begin = time.monotonic()
        while not probe():
            if self.status() is not None:
                raise self.died()
            if time.monotonic() - begin > timeout:
                raise StartError(f"{self.name} was not ready after {timeout:.0f} s: {excerpt(self.log)}")
            time.sleep(PROBE_INTERVAL)
        return time.monotonic() - begin


def excerpt(log: ChildLog, lines: int = 3) -> str:
    """The end of a log on one line, and where the rest is."""
    return f"{' / '.join(line.strip() for line in log.tail(lines)) or 'it wrote nothing'} (log: {log.path})"


def command_line(pid: int) -> str:
    """The command line of a running process; empty when there is none (a zombie has none)."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return ""
    except OSError:
        return ""
    found = subprocess.run(  # noqa: S603 - no shell; a number
        ["/bin/ps", "-p", str(pid), "-o", "command="],
        capture_output=True,
        check=False,
        text=True,
    )
    return found.stdout.strip()


def end_orphan(pid: int, mark: str, timeout: float = 10.0) -> bool:
    """Kill the process if it is ours, that is if `mark` stands in its command line; returns whether it was.

    A pid is used again after a reboot or in time: without the mark nothing is touched. Raises StartError if it stays.
    """
    if pid <= 1 or not mark or mark not in command_line(pid):
        return False
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + timeout
    while mark in command_line(pid):
        if time.monotonic() > deadline:
            raise StartError(f"process {pid} of an earlier run does not end; end it by hand")
        time.sleep(PROBE_INTERVAL)
    return True
