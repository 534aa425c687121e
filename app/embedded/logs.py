"""Output of a child process: a bounded file, the last lines in memory, and wherever else it shall go."""

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO

FILE_BYTES = 4 << 20
"""Size at which a log file becomes `NAME.1`; two files are kept, so a process has at most twice this on disk."""
LINE_BYTES = 16 << 10
"""A longer line is cut into several."""
TAIL_LINES = 40


class ChildLog:
    """Takes what a child writes, line by line, in a thread of its own, so that no event loop can hold the child up."""

    def __init__(self, path: Path, *, echo: Callable[[str], None] | None = None, file_bytes: int = FILE_BYTES) -> None:
        self.path = path
        self._echo = echo
        self._file_bytes = file_bytes
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._file: IO[bytes] | None = None
        self._thread: threading.Thread | None = None

    def follow(self, stream: IO[bytes]) -> None:
        """Read `stream` to its end in the background, and close it. The stream before it must have ended."""
        self.join()
        self._thread = threading.Thread(target=self._pump, args=(stream,), name=f"log-{self.path.stem}", daemon=True)
        self._thread.start()

    def join(self, timeout: float = 2.0) -> None:
        """Wait until the followed stream has ended, at most `timeout` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

    def tail(self, lines: int = 10) -> list[str]:
        """The last lines."""
        return list(self._tail)[-lines:]

    def _pump(self, stream: IO[bytes]) -> None:
        with stream:
            while line := stream.readline(LINE_BYTES):
                text = line.decode(errors="replace").rstrip()
                self._tail.append(text)
                self._write(line if line.endswith(b"\n") else line + b"\n")
                if self._echo is not None:
                    with contextlib.suppress(OSError):  # nobody looks any more; the child works on
                        self._echo(text)
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, line: bytes) -> None:
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("ab", buffering=0)
            if self._file.tell() + len(line) > self._file_bytes:
                self._file.close()
                self.path.replace(self.path.with_name(self.path.name + ".1"))
                self._file = self.path.open("ab", buffering=0)
            self._file.write(line)
        except OSError:
            self._file = None  # a full disk must not stop the child: its pipe is read on
