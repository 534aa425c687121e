"""The demo as a whole: the real system, the shop, the shoppers, and somebody who reads the inbox."""

import asyncio
import contextlib
import re
import shutil
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import uvicorn

from agents.team import TeamError, load_team
from app.clock import Clock
from app.demo.dialogs import talkers
from app.demo.sender import Sender
from app.demo.shop import key_of, shop_app
from app.demo.shoppers import Players
from app.demo.stories import BUYERS, shoppers
from app.demo.watch import Watch
from app.demo.wisher import SCENARIO, wisher
from app.errors import CommandError, UsageError
from app.settings import Settings
from app.supervisor import System, running_system
from app.web.collector.server import QuietServer

TIME_SCALE = 240.0
"""60 min -> 15 s, 3 h -> 45 s, 24 h -> 6 min."""
SPREAD = 45.0
"""Seconds over which the shoppers arrive."""
POLL = 1.0
NEWEST = 200
_HERE = Path(__file__).parent
_PROVIDERS = ("sms_provider", "whatsapp_token")
"""Settings that would have the demo's cascade go out to the world."""
"""Mails asked for in one poll: more than can come between two."""
_TRIGGERS = re.compile(r'^boomerang_triggers_total\{[^}]*scenario="([^"]+)"[^}]*\} ([0-9.e+]+)$', re.MULTILINE)

Say = Callable[[str], None]


@dataclass
class Stage:
    """A running demo."""

    system: System
    shop_url: str
    watch: Watch
    players: Players
    sender: Sender
    started_at: float
    """Epoch seconds: when the command began."""
    triggers: Counter[str]
    counted: Counter[str] = field(default_factory=Counter)
    """The worker's own counts when we last looked: a worker that was started again begins with none."""


def demo_settings(settings: Settings) -> Settings:
    """Settings of the demo: its own data folder, waits scaled down, the shop's address. Raises UsageError."""
    if settings.smtp:
        raise UsageError(
            "the demo writes to invented addresses: unset BOOMERANG_SMTP, so that its mails stay in the inbox"
        )
    if not (key_of(settings, "browser") and key_of(settings, "server")):
        raise UsageError("the demo needs a browser key and a server key in BOOMERANG_WRITE_KEYS")
    spoken = [name for name in _PROVIDERS if getattr(settings, name)]
    if spoken:
        raise UsageError(
            f"the demo writes to invented numbers: unset BOOMERANG_{spoken[0].upper()}, so that its messages stay in the inbox"
        )
    origins = [f"http://{host}:{settings.shop_port}" for host in ("127.0.0.1", "localhost")]
    return replace(
        settings,
        data=settings.data / "demo",
        time_scale=TIME_SCALE if settings.time_scale == 1 else settings.time_scale,
        policy=_HERE / "policy.yaml" if settings.policy == Settings.policy else settings.policy,
        shop_url=origins[0],
        cors_origins=",".join((settings.cors_origins, *origins)),
    )


@contextlib.asynccontextmanager
async def opened(
    settings: Settings, clock: Clock, say: Say, *, count: int, seed: int, started_at: float
) -> AsyncIterator[Stage]:
    """Start everything but the shoppers; end everything. Raises CommandError.

    `settings` come from `demo_settings`. While it is open, `watched` must run.
    """
    settings = _with_cascade(settings)
    listener = _listen(settings.shop_port)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(listener.close)
        system = await stack.enter_async_context(running_system(settings, report=say))
        await stack.enter_async_context(_shop(settings, listener))
        collector = f"http://{settings.collector_host}:{settings.collector_port}"
        sender = Sender(collector, key_of(settings, "browser"), key_of(settings, "server"))
        await stack.enter_async_context(sender)
        run = f"{int(started_at):x}"
        people = shoppers(count, seed=seed, run=run, spread=SPREAD * min(1, count / 100), shop_url=settings.shop_url)
        clients = talkers(run=run, shop_url=settings.shop_url) if people else []
        wishers = [wisher(run=run, shop_url=settings.shop_url)] if people else []
        players = Players([*people, *clients, *wishers], sender, clock)
        watch = Watch([*people, *wishers], team_addresses(settings))
        yield Stage(system, settings.shop_url, watch, players, sender, started_at, Counter())


def _with_cascade(settings: Settings) -> Settings:
    """The built-in scenarios, and the demo's cascade beside them, in a folder of their own; the shop's own stay as they are.

    Raises CommandError.
    """
    if settings.scenarios != Settings.scenarios:
        return settings
    folder = settings.data / "scenarios"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(settings.scenarios, folder)
        shutil.copy(_HERE / f"{SCENARIO}.yaml", folder)
    except OSError as error:
        raise CommandError(f"{folder} cannot be written ({error.strerror}); set BOOMERANG_DATA") from None
    return replace(settings, scenarios=folder)


def team_addresses(settings: Settings) -> frozenset[str]:
    """Mail addresses of the sales team. Raises CommandError."""
    try:
        team = load_team(settings.team)
    except TeamError as error:
        raise CommandError(str(error)) from None
    told = [team.addresses, *(member.addresses for member in team.members)]
    return frozenset(addresses["email"].lower() for addresses in told if "email" in addresses)


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise CommandError(
            f"port {port} of the demo shop cannot be used ({error.strerror}); set BOOMERANG_SHOP_PORT"
        ) from None


@contextlib.asynccontextmanager
async def _shop(settings: Settings, listener: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(
        shop_app(settings), lifespan="on", ws="none", log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    server = QuietServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="shop")
    try:
        yield
    finally:
        server.should_exit = True
        await serving


async def watched(stage: Stage, say: Say) -> None:
    """Read inbox and triggers for as long as it runs; tell what is worth telling."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):  # a crashed process is coming back
                await look(stage, session, say)
            await asyncio.sleep(POLL)


async def look(stage: Stage, session: aiohttp.ClientSession, say: Say) -> None:
    """Read them once. Raises aiohttp.ClientError."""
    settings = stage.system.settings
    async with session.get(f"{stage.system.urls['console']}/api/inbox", params={"limit": NEWEST}) as answer:
        answer.raise_for_status()
        mails = await answer.json()
    for finding in stage.watch.take(mails, stage.started_at):
        say(f"\n*** BROKEN PROMISE: {finding.text} ***\n" if finding.bad else finding.text)
    async with session.get(f"http://127.0.0.1:{settings.worker_port}/metrics") as answer:
        found = _TRIGGERS.findall(await answer.text())
    now: Counter[str] = Counter()
    for scenario, value in found:
        now[scenario] += int(float(value))
    began_anew = now.total() < stage.counted.total()
    stage.triggers.update(now if began_anew else now - stage.counted)
    stage.counted = now


def progress(stage: Stage, seconds: float) -> str:
    """Where the demo is, in one line."""
    watch, arrived = stage.watch, stage.players.arrived
    return (
        f"{seconds:4.0f} s   shoppers {arrived.total()}   events {stage.sender.sent:,}   "
        f"triggers {stage.triggers.total()}   mails {watch.mails.total() + watch.others.total() + watch.earlier}   alerts {watch.alerts.total()}   "
        f"buyers {_buyers(stage)}, mails to them {watch.buyers_with_mail}"
    )


def summary(stage: Stage, seconds: float) -> str:
    """What came of it."""
    watch = stage.watch
    first = "none yet" if watch.first_cart is None else f"after {watch.first_cart['sent_at'] - stage.started_at:.0f} s"
    rows = [
        ("events sent", f"{stage.sender.sent:,}"),
        ("shoppers", f"{stage.players.arrived.total()}: {_counts(stage.players.arrived)}"),
        ("triggers", _counts(stage.triggers)),
        ("mails to them", _counts(watch.mails)),
        ("mails to others", _counts(watch.others)),
        ("cascade to one", ", ".join(watch.cascade) or "none yet"),
        ("alerts to the team", _counts(watch.alerts)),
        ("first cart mail", first),
        ("buyers with a mail", f"{watch.buyers_with_mail} of {_buyers(stage)}"),
        ("promises broken", str(len(watch.wrong))),
    ]
    if watch.earlier:
        rows.append(
            ("mails of before", f"{watch.earlier}, to shoppers of an earlier run; their triggers are counted too")
        )
    if stage.players.failed:
        rows.append(("shoppers refused", f"{len(stage.players.failed)}, for instance: {stage.players.failed[0]}"))
    lines = "\n".join(f"  {name:<20}{value}" for name, value in rows)
    return f"\nAfter {seconds:.0f} s\n{lines}"


def _buyers(stage: Stage) -> int:
    return sum(stage.players.arrived[story] for story in BUYERS)


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"
