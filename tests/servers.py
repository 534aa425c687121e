"""Real servers and processes for tests: started once or on demand, on free ports, ended by pid."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from app.embedded import kafka
from app.embedded.logs import ChildLog
from app.embedded.process import Process, StartError
from app.embedded.servers import EmbeddedServer, kafka_server, valkey_server
from app.embedded.state import State, free_port, port_is_free
from app.settings import Settings, environment, load

__all__ = ["Children", "eventually", "free_port", "port_is_free", "running_kafka", "running_valkey"]


@contextmanager
def scratch_folder(name: str) -> Iterator[Path]:
    """A folder of our own outside of pytest's, which would keep three runs of broker data."""
    folder = Path(tempfile.mkdtemp(prefix=f"boomerang-{name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(server: EmbeddedServer, address: str) -> Iterator[str]:
    try:
        server.start()
        server.wait_ready()
        yield address
    finally:
        server.stop()


@contextmanager
def running_kafka(data: Path) -> Iterator[str]:
    """A broker with its data in a folder; gives `host:port`."""
    cache = load().cache
    if not kafka.Installation(cache).complete:
        raise StartError("the embedded Kafka is not installed; run `make install`")
    server, address = kafka_server(data, cache, State(data / "embedded.json"))
    with _running(server, address.removeprefix("kafka://")) as bootstrap:
        yield bootstrap


@contextmanager
def running_valkey(data: Path) -> Iterator[str]:
    """A Valkey with its data in a folder; gives `redis://host:port/0`."""
    server, address = valkey_server(data, State(data / "embedded.json"))
    with _running(server, address) as url:
        yield url


class Children:
    """Starts `boomerang COMMAND` and other programs, and ends all of them when the test is over."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._stack = ExitStack()
        self._count = 0

    def start(self, command: Sequence[str], settings: Settings | None = None, **environ: str) -> Process:
        """Start `python COMMAND...` with the settings as its environment. Its output: `child.log.tail()`."""
        import os
        import sys

        self._count += 1
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("BOOMERANG_")}
        name = "-".join(Path(word).name for word in command[:3]).replace("-m-", "")
        child = Process(
            name,
            [sys.executable, *command],
            ChildLog(self._logs / f"{self._count}-{name[-40:]}.log"),
            {**inherited, **(environment(settings) if settings else {}), **environ},
        )
        self._stack.callback(child.stop)
        return child

    def boomerang(self, *arguments: str, settings: Settings | None = None, **environ: str) -> Process:
        """Start `boomerang ARGUMENTS...`."""
        return self.start(["-m", "app.cli", *arguments], settings, **environ)

    def close(self) -> None:
        """End all that still run, the last one first."""
        self._stack.close()


async def eventually(
    condition: Callable[[], Any] | Callable[[], Awaitable[Any]], timeout: float = 15.0, what: str = ""
) -> Any:
    """Wait until a condition (plain or async) gives something true and return that; fail after `timeout` seconds.

    An exception counts as "not yet"; the last one is named when the time is up.
    """
    deadline = time.monotonic() + timeout
    last: object = "it was never true"
    while True:
        try:
            value = condition()
            if asyncio.iscoroutine(value):
                value = await asyncio.wait_for(value, max(0.1, deadline - time.monotonic()))
            if value:
                return value
        except Exception as error:
            last = repr(error)
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {timeout:g} s: {what or getattr(condition, '__name__', condition)} ({last})"
            )
        await asyncio.sleep(0.02)
