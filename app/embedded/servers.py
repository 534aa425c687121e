"""The embedded servers of one data folder: started together on ports of their own, ended together."""

from collections.abc import Callable
from pathlib import Path

from app.embedded import kafka, valkey
from app.embedded.logs import ChildLog
from app.embedded.process import Process, end_orphan
from app.embedded.state import LOOPBACK, State

READY_SECONDS = {"kafka": 60.0, "valkey": 20.0}
"""How long a start may take. A broker killed with much data rebuilds the last segments' indexes first."""
STOP_SECONDS = {"kafka": 6.0, "valkey": 2.0}


class EmbeddedServer:
    """One server: `start` returns at once, `is_ready` looks at it once, `stop` ends it. It can be started again."""

    def __init__(
        self, name: str, data: Path, state: State, command: Callable[[], list[str]], is_ready: Callable[[], bool]
    ) -> None:
        self.name = name
        self.is_ready = is_ready
        self._state = state
        self._command = command
        self.log = ChildLog(data / "log" / f"{name}.log")
        self.process: Process | None = None

    def start(self) -> Process:
        """Start the process. Raises CommandError."""
        self.process = Process(self.name, self._command(), self.log)
        self._state.keep(**{_pid_name(self.name): self.process.pid})
        return self.process

    def wait_ready(self) -> float:
        """Block until it answers; returns the seconds that it took. Raises StartError."""
        assert self.process is not None, "start it first"
        return self.process.wait_ready(self.is_ready, READY_SECONDS[self.name])

    def stop(self) -> None:
        """End it, if it runs."""
        if self.process is not None:
            self.process.stop(STOP_SECONDS[self.name])
            self.process = None
            self._state.keep(**{_pid_name(self.name): 0})


def _pid_name(name: str) -> str:
    return f"{name}_pid"


def _end_earlier(name: str, folder: Path, state: State) -> None:
    """End an orphan of an earlier run that has our data open (its command line names the folder), so its port is free."""
    end_orphan(state.number(_pid_name(name)), str(folder))


def kafka_server(data: Path, cache: Path, state: State) -> tuple[EmbeddedServer, str]:
    """The broker of a data folder, not started yet, and its address as a setting. Its jars must be in the cache."""
    folder = data.absolute() / "kafka"
    _end_earlier("kafka", folder, state)
    port, controller_port = state.port("kafka_port"), state.port("kafka_controller_port")

    def command() -> list[str]:
        installation = kafka.Installation(cache)
        return installation.java("kafka.Kafka", str(kafka.prepare(installation, folder, port, controller_port)))

    server = EmbeddedServer("kafka", data, state, command, lambda: kafka.is_ready(port))
    return server, f"kafka://{LOOPBACK}:{port}"


def valkey_server(data: Path, state: State) -> tuple[EmbeddedServer, str]:
    """The Valkey of a data folder, not started yet, and its address as a setting."""
    folder = data.absolute() / "valkey"
    _end_earlier("valkey", folder, state)
    port = state.port("valkey_port")
    server = EmbeddedServer("valkey", data, state, lambda: valkey.command(folder, port), lambda: valkey.is_ready(port))
    return server, f"redis://{LOOPBACK}:{port}/0"
