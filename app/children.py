"""The processes that make up the system: how each is started, when it is ready, when it is started again."""

import socket
import sys
from collections.abc import Callable, Iterable
from typing import NamedTuple

from app.embedded.state import port_is_free
from app.errors import CommandError
from app.settings import PREFIX, Settings

ANSWER_SECONDS = 2.0
QUICK_CRASH_SECONDS = 20.0
"""An end sooner than this after a start counts as a crash at start."""
QUICK_CRASHES = 5
"""So many in a row, and the whole system gives up: something is wrong that starting again does not mend."""
LONGEST_PAUSE = 10.0
WRONG_USE = 2


class Child(NamedTuple):
    """A child process. `arguments` follow the Python interpreter; `stop_rank`: lower ones are ended first."""

    name: str
    arguments: tuple[str, ...]
    port: Callable[[Settings], int]
    host: Callable[[Settings], str] = lambda _: "127.0.0.1"
    stop_rank: int = 1

    def command(self) -> list[str]:
        """Its command line."""
        return [sys.executable, *self.arguments]

    def is_ready(self, settings: Settings) -> bool:
        """Whether it answers 200 to GET /readyz."""
        return answers(reachable(self.host(settings)), self.port(settings), "/readyz")


def _boomerang(name: str) -> tuple[str, ...]:
    return ("-m", "app.cli", name)


CHILDREN = (
    Child("collector", _boomerang("collector"), lambda s: s.collector_port, lambda s: s.collector_host, stop_rank=0),
    Child("worker", _boomerang("worker"), lambda s: s.worker_port, lambda s: s.worker_host),
    Child("delivery", _boomerang("delivery"), lambda s: s.delivery_port, lambda s: s.worker_host),
    Child("console", _boomerang("console"), lambda s: s.console_port, lambda s: s.console_host),
)
"""The collector ends first, so that what it has accepted is still worked on."""
CHAT_GATEWAY = Child(
    "chat-gateway",
    _boomerang("chat-gateway"),
    lambda s: s.chat_gateway_port,
    lambda s: s.chat_gateway_host,
    stop_rank=0,
)
"""Runs where there is a gateway to read."""


def reachable(host: str) -> str:
    """The address at which we reach a server that listens on `host`."""
    return "127.0.0.1" if host in ("", "0.0.0.0", "::") else host  # noqa: S104 - compared, not bound


def answers(host: str, port: int, path: str) -> bool:
    """Whether an HTTP server answers 200. By hand: http.client would cost the supervisor 3 MB."""
    try:
        with socket.create_connection((host, port), ANSWER_SECONDS) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            return connection.recv(16, socket.MSG_WAITALL).split(b" ", 2)[1:2] == [b"200"]
    except OSError:
        return False


def verify_ports(settings: Settings, children: Iterable[Child]) -> None:
    """Raise CommandError for the first port that is taken."""
    wanted: list[tuple[str, str, str, int]] = []
    for child in children:
        wanted.append(
            (child.name, f"{child.name.replace('-', '_')}_port", reachable(child.host(settings)), child.port(settings))
        )
        if child.name == "collector":
            wanted.append(
                (
                    "collector's metrics",
                    "collector_metrics_port",
                    reachable(settings.collector_metrics_host),
                    settings.collector_metrics_port,
                )
            )
        if child.name == "console" and not settings.smtp:
            wanted.append(("dev inbox", "inbox_port", "127.0.0.1", settings.inbox_port))
    for what, setting, host, port in wanted:
        if not port_is_free(port, host):
            raise CommandError(
                f"port {port} ({what}) is in use by another program; stop that one, or set "
                f"{PREFIX}{setting.upper()} to a free port"
            )


class Crashes:
    """When a process that ended is started again: at once the first time, then later and later, then never."""

    def __init__(self) -> None:
        self.in_a_row = 0

    def note(self, status: int, lived: float) -> float | None:
        """Count an end; returns the pause in seconds before the next start, or None to give up."""
        self.in_a_row = 1 if lived >= QUICK_CRASH_SECONDS else self.in_a_row + 1
        if status == WRONG_USE or self.in_a_row >= QUICK_CRASHES:
            return None
        return min(LONGEST_PAUSE, 0.25 * (2.0**self.in_a_row - 2.0))

    def forgive(self) -> None:
        """Forget them: it was not its fault."""
        self.in_a_row = 0
