"""Everything on one machine: the embedded servers and the children, started, watched, started again, ended in order."""

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from app.children import CHILDREN, Child, Crashes, reachable, verify_ports
from app.clock import SYSTEM, Clock
from app.embedded import kafka
from app.embedded.logs import ChildLog
from app.embedded.process import PROBE_INTERVAL, Process, StartError, excerpt
from app.embedded.servers import READY_SECONDS, STOP_SECONDS, EmbeddedServer, kafka_server, valkey_server
from app.embedded.state import State, data_lock
from app.errors import CommandError
from app.settings import Settings, child_environment
from app.topics import ALL

TICK = 0.1
"""Seconds between two looks at the processes."""
CHILD_READY_SECONDS = 60.0
CHILD_STOP_SECONDS = (2.0, 4.0)
"""By stop rank; with the servers' 6 s at most 10 s go by until all are ended (12 s if each must be killed)."""
INSTANCE = "local"
"""The worker's stable name: after a crash it has its partitions back without waiting for the old session's end."""

Report = Callable[[str], None]
Echo = Callable[[str, str], None]


class Unit:
    """One process that is kept running: what it is now, and when it is due again."""

    def __init__(
        self,
        name: str,
        start: Callable[[], Process],
        probe: Callable[[], bool],
        ready_seconds: float,
        stop_rank: int,
        stop_seconds: float,
    ) -> None:
        self.name = name
        self.start_process = start
        self.probe = probe
        self.ready_seconds = ready_seconds
        self.stop_rank = stop_rank
        self.stop_seconds = stop_seconds
        self.crashes = Crashes()
        self.process: Process | None = None
        self.ready = False
        self.begun = 0.0
        self.due = 0.0

    def start(self, now: float) -> None:
        """Start it (again)."""
        self.ready, self.begun = False, now
        self.process = self.start_process()

    async def wait_ready(self, clock: Clock) -> float:
        """Wait for its first readiness; returns the seconds since its start. Raises StartError."""
        while True:
            assert self.process is not None, "started before"
            if self.process.status() is not None:
                raise self.process.died()
            if await asyncio.to_thread(self.probe):
                self.ready = True
                return clock.monotonic() - self.begun
            if clock.monotonic() - self.begun > self.ready_seconds:
                raise StartError(
                    f"{self.name} was not ready after {self.ready_seconds:.0f} s: {excerpt(self.process.log)}"
                )
            await asyncio.sleep(PROBE_INTERVAL)


class System:
    """A running system. `settings` are those of the children: Kafka, Valkey and folders filled in."""

    def __init__(self, settings: Settings, report: Report, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.servers: list[Unit] = []
        self.children: list[Unit] = []
        self.ready_after = 0.0
        self._report = report

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name: of what runs now."""
        return {
            unit.name: unit.process.pid
            for unit in (*self.servers, *self.children)
            if unit.process is not None and unit.process.status() is None
        }

    @property
    def urls(self) -> dict[str, str]:
        """Addresses for people, by name: of what was started."""
        s = self.settings
        console = f"http://{reachable(s.console_host)}:{s.console_port}"
        addresses = {
            "collector": ("collector", f"http://{reachable(s.collector_host)}:{s.collector_port}"),
            "console": ("console", console),
            "inbox": ("console", f"{console}/inbox"),
            "metrics": ("worker", f"http://{reachable(s.worker_host)}:{s.worker_port}/metrics"),
        }
        started = {unit.name for unit in self.children}
        return {
            name: url
            for name, (child, url) in addresses.items()
            if child in started and not (name == "inbox" and s.smtp)
        }

    async def watch(self) -> None:
        """Keep everything running; returns never, raises CommandError when it gives up."""
        while True:
            for unit in self.servers:
                await self._look(unit)
            if all(unit.ready for unit in self.servers):
                for unit in self.children:
                    await self._look(unit)
            else:
                for unit in self.children:
                    unit.crashes.forgive()  # none of them can live without the servers
            await asyncio.sleep(TICK)

    async def _look(self, unit: Unit) -> None:
        now = self.clock.monotonic()
        if unit.process is None:
            if now >= unit.due:
                unit.start(now)
        elif (status := unit.process.status()) is not None:
            pause = unit.crashes.note(status, now - unit.begun)
            text = f"{unit.name} ended with status {status}"
            if pause is None:
                await asyncio.to_thread(unit.process.log.join)  # it has ended, and its last words may be on their way
                self._report(
                    f"{text}; its last lines:\n" + "\n".join(f"  {line}" for line in unit.process.log.tail(15))
                )
                raise CommandError(
                    f"{unit.name} does not stay up (status {status}); its log is {unit.process.log.path}"
                )
            self._report(f"{text}; starting it again" + (f" in {pause:.1f} s" if pause else ""))
            unit.process, unit.ready, unit.due = None, False, now + pause
            if not pause:
                unit.start(now)
        elif not unit.ready and await asyncio.to_thread(unit.probe):
            unit.ready = True
            self._report(f"{unit.name} is back after {self.clock.monotonic() - unit.begun:.1f} s")

    async def stop(self) -> None:
        """End everything: the collector, the other children, the servers."""
        units = (*self.servers, *self.children)
        for rank in sorted({unit.stop_rank for unit in units}):
            await asyncio.gather(
                *(
                    asyncio.to_thread(unit.process.stop, unit.stop_seconds)
                    for unit in units
                    if unit.stop_rank == rank and unit.process is not None
                )
            )

    def kill(self) -> None:
        """End everything now, without ceremony; nothing that was acknowledged is lost by it."""
        for unit in (*self.children, *self.servers):
            if unit.process is not None:
                unit.process.stop(0.0)


@asynccontextmanager
async def running_system(
    settings: Settings,
    *,
    children: tuple[Child, ...] = CHILDREN,
    report: Report = lambda _: None,
    echo: Echo | None = None,
    clock: Clock = SYSTEM,
) -> AsyncIterator[System]:
    """Start everything, give the ready system, and end everything.

    While it runs, `System.watch()` must run as a task for crashed processes to be started again. Raises CommandError when a
    port or the data folder is in use, or something does not start.
    """
    begun = clock.monotonic()
    with data_lock(settings.data):
        verify_ports(settings, children)
        system = System(_resolved(settings), report, clock)
        try:
            await _start_servers(system)
            await _provision(system)
            await _start_children(system, children, echo)
            system.ready_after = clock.monotonic() - begun
            yield system
        finally:
            await system.stop()


def _resolved(settings: Settings) -> Settings:
    inbox = f"http://{reachable(settings.console_host)}:{settings.console_port}/api/inbox/messages"
    return replace(
        settings,
        data=settings.data.absolute(),
        scenarios=settings.scenarios.absolute(),
        cache=settings.cache.expanduser().absolute(),
        instance=settings.instance or INSTANCE,
        dev_inbox=settings.dev_inbox or ("" if settings.smtp else inbox),
    )


async def _start_servers(system: System) -> None:
    settings = system.settings
    state = State(settings.data / "embedded.json")
    if not settings.redis:
        server, address = valkey_server(settings.data, state)
        system.settings = replace(system.settings, redis=address)
        _add_server(system, server)
    if not settings.kafka:
        await _install(settings)
        server, address = kafka_server(settings.data, settings.cache, state)
        system.settings = replace(system.settings, kafka=address)
        _add_server(system, server)
    await asyncio.gather(*(_ready(system, unit) for unit in system.servers))


def _add_server(system: System, server: EmbeddedServer) -> None:
    name = server.name
    unit = Unit(name, server.start, server.is_ready, READY_SECONDS[name], 2, STOP_SECONDS[name])
    system.servers.append(unit)
    unit.start(system.clock.monotonic())


async def _ready(system: System, unit: Unit) -> None:
    seconds = await unit.wait_ready(system.clock)
    system._report(f"{unit.name:<10} ready  {seconds:4.1f} s")  # noqa: SLF001 - the other half of the class


async def _install(settings: Settings) -> None:
    """Fetch Kafka if this machine has none yet, in another process: what that needs is not kept in ours."""
    if kafka.Installation(settings.cache).complete:
        return
    command = [sys.executable, "-m", "app.cli", "install-embedded"]
    child = await asyncio.create_subprocess_exec(*command, env=child_environment(settings))
    try:
        status = await child.wait()
    except asyncio.CancelledError:
        child.terminate()
        await child.wait()
        raise
    if status:
        raise CommandError("the embedded Kafka is not installed (see above); or name a broker with BOOMERANG_KAFKA")


async def _provision(system: System) -> None:
    """Create topics, in another process; skipped when the embedded broker has had exactly these made before."""
    settings = system.settings
    state = State(settings.data / "embedded.json")
    wanted = f"{settings.topic_prefix}/{settings.partitions}/{ALL!r}"
    stamp = hashlib.sha256(wanted.encode()).hexdigest() if _has(system, "kafka") else ""
    if stamp and state.text("topics") == stamp:
        return
    command = [sys.executable, "-m", "app.cli", "topics", "--create"]
    child = Process("topics", command, ChildLog(settings.data / "log" / "topics.log"), child_environment(settings))
    try:
        while (status := child.status()) is None:  # noqa: ASYNC110 -- a child's end is no event of the loop
            await asyncio.sleep(PROBE_INTERVAL)
    finally:
        child.stop()
    if status:
        last = child.log.tail(1) or ["no word why"]
        raise CommandError(f"topics: {last[0].removeprefix('boomerang topics: ')}")
    if stamp:
        state.keep(topics=stamp)


def _has(system: System, server: str) -> bool:
    return any(unit.name == server for unit in system.servers)


async def _start_children(system: System, children: tuple[Child, ...], echo: Echo | None) -> None:
    verify_ports(
        system.settings, children
    )  # again: seconds have passed, and another's answer would pass for our child's
    for child in children:
        unit = _child_unit(system, child, echo)
        system.children.append(unit)
        unit.start(system.clock.monotonic())
    await asyncio.gather(*(_ready(system, unit) for unit in system.children))


def _child_unit(system: System, child: Child, echo: Echo | None) -> Unit:
    settings = system.settings
    log = ChildLog(
        settings.data / "log" / f"{child.name}.log", echo=None if echo is None else lambda text: echo(child.name, text)
    )
    environ = {**child_environment(settings), "PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2"}
    return Unit(
        child.name,
        lambda: Process(child.name, child.command(), log, environ),
        lambda: child.is_ready(settings),
        CHILD_READY_SECONDS,
        child.stop_rank,
        CHILD_STOP_SECONDS[min(child.stop_rank, 1)],
    )
