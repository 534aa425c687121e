"""What the embedded servers of a data folder remember between runs, and the lock that keeps a second run out."""

import fcntl
import json
import os
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = "127.0.0.1"


class State:
    """A small JSON file, written atomically. A damaged one counts as empty: ports are chosen again, data is kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            loaded = json.loads(path.read_text())
        except (OSError, ValueError):
            loaded = {}
        self._values: dict[str, Any] = loaded if isinstance(loaded, dict) else {}

    def number(self, name: str) -> int:
        """A number kept under `name`, or 0."""
        value = self._values.get(name)
        return value if isinstance(value, int) else 0

    def text(self, name: str) -> str:
        """A text kept under `name`, or an empty one."""
        value = self._values.get(name)
        return value if isinstance(value, str) else ""

    def keep(self, **values: int | str) -> None:
        """Remember values; on disk when this returns."""
        self._values.update(values)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_name(self._path.name + ".new")
        fresh.write_text(json.dumps(self._values, indent=1, sort_keys=True) + "\n")
        fresh.replace(self._path)

    def port(self, name: str) -> int:
        """The port of last time if it is free, else a free one; remembered."""
        port = self.number(name)
        if not (port and port_is_free(port)):
            taken = set(self._values.values())
            while (port := free_port()) in taken:
                pass
            self.keep(**{name: port})
        return port


def port_is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


_given: set[int] = set()


def free_port(host: str = LOOPBACK) -> int:
    """A port that nobody listens on, and that this process has not been given before."""
    while True:
        with socket.socket() as probe:
            probe.bind((host, 0))
            port: int = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


@contextmanager
def data_lock(data: Path) -> "Iterator[None]":
    """Hold the data folder for this process. The kernel lets go of it when we die, however that happens.

    Raises CommandError when another process has it, or when the folder cannot be written.
    """
    path = data / "up.lock"
    try:
        data.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise CommandError(f"the data folder {data} cannot be used ({error.strerror}); set BOOMERANG_DATA") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
            raise CommandError(
                f"the data folder {data} is in use by process {owner}; stop it, or set BOOMERANG_DATA to another folder"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
