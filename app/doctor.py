"""Asks everything that the product depends on, one after the other, and says what to do. Nothing is changed by it.

Each examination returns findings; none of them ends the others. `boomerang doctor` prints them.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from app.clock import Clock
from app.engine.disk import room_at
from app.engine.expiry import expiry_of
from app.engine.kafka_client import client_options
from app.engine.provision import provision
from app.errors import CommandError
from app.journal_store import JournalStore
from app.settings import Settings, split

if TYPE_CHECKING:
    from app.web.chat import retailcrm

PATIENCE_S = 20.0
"""Longest wait for one examination."""
DISK_SHARE = 0.1
SKEW_S = 1.0
EXPIRY_DAYS = 14
DAY = 86_400.0


class Verdict(StrEnum):
    """How a finding is meant. Only `BAD` makes the command fail."""

    GOOD = "ok"
    DOUBTFUL = "look"
    BAD = "bad"


class Finding(NamedTuple):
    """What was found about one thing, and what to do, in one line."""

    what: str
    verdict: Verdict
    text: str


def _good(what: str, text: str) -> Finding:
    return Finding(what, Verdict.GOOD, text)


def _bad(what: str, text: str) -> Finding:
    return Finding(what, Verdict.BAD, text)


def _doubtful(what: str, text: str) -> Finding:
    return Finding(what, Verdict.DOUBTFUL, text)


Examination = Callable[[Settings, Clock], Awaitable[list[Finding]]]


async def findings(settings: Settings, clock: Clock) -> AsyncIterator[Finding]:
    """Everything, in the order in which things depend on each other."""
    for what, examine in EXAMINATIONS.items():
        try:
            async with asyncio.timeout(PATIENCE_S):
                found = await examine(settings, clock)
        except TimeoutError:
            found = [_bad(what, f"no answer within {PATIENCE_S:.0f} s")]
        except CommandError as error:
            found = [_bad(what, str(error))]
        for finding in found:
            yield finding


async def _settings(settings: Settings, _clock: Clock) -> list[Finding]:
    found = []
    if "demo-" in settings.write_keys:
        found.append(_doubtful("settings", "the write keys are those of the demo; set BOOMERANG_WRITE_KEYS"))
    if not settings.secret:
        found.append(
            _doubtful("settings", "BOOMERANG_SECRET is not set: links of mails work with this data folder only")
        )
    if not settings.public_url:
        found.append(
            _doubtful("settings", "BOOMERANG_PUBLIC_URL is not set: links of messages lead to this machine alone")
        )
    if not settings.instance:
        found.append(_doubtful("settings", "BOOMERANG_INSTANCE is not set: each restart of a worker costs a rebalance"))
    if settings.time_scale != 1.0 or settings.time != "live":
        found.append(_doubtful("settings", "BOOMERANG_TIME or BOOMERANG_TIME_SCALE is not that of a live shop"))
    return found or [_good("settings", "set for a live shop")]


async def _scenarios(settings: Settings, _clock: Clock) -> list[Finding]:
    from agents.delivery.channels import template_folders
    from agents.policy import PolicyError, load_policy
    from agents.scenarios.language import ScenarioError
    from agents.scenarios.load import read_folder, templates_of
    from agents.segments.load import check_segments
    from channels import CHANNELS
    from channels.examples import check_templates

    try:
        scenarios = read_folder(settings.scenarios, time_scale=settings.time_scale, channels=CHANNELS)
        load_policy(settings.policy)
    except (ScenarioError, PolicyError) as error:
        return [_bad("scenarios", f"{error}; `boomerang check` says more")]
    wanted = [pair for item in scenarios for pair in templates_of(item)]
    faults = [
        *check_segments(settings.segments, time_scale=settings.time_scale).faults,
        *check_templates(wanted, folders=template_folders(settings)),
    ]
    return [_bad("scenarios", fault) for fault in faults] or [_good("scenarios", f"{len(scenarios)} are fine")]


async def _chat(settings: Settings, clock: Clock) -> list[Finding]:
    """The file of chat sources; a gateway that we have to ask is asked."""
    from app.web.chat import retailcrm
    from app.web.chat.sources import load_sources

    sources = load_sources(settings.chats)
    if not sources:
        return [_good("chat", "no messenger is connected (BOOMERANG_CHATS)")]
    told = ", ".join(f"{provider} {len(found)}" for provider, found in sources.items())
    found = [_good("chat", f"sources: {told}")]
    for name, config in sources.get(retailcrm.NAME, {}).items():
        if isinstance(config, retailcrm.Config):
            found.append(await _gateway(name, config, clock))
    return found


async def _gateway(name: str, config: "retailcrm.Config", clock: Clock) -> Finding:
    from app.web.chat.bot_api import BotApi, GatewayError

    api = BotApi(config, timeout=5.0)
    try:
        await api.dialogs(clock.now())
    except GatewayError as error:
        return _bad(f"gateway {name}", f"the gateway {error}; docs/chat/retailcrm.md")
    finally:
        await api.close()
    return _good(f"gateway {name}", "answers, and takes the token")


async def _receipts(settings: Settings, _clock: Clock) -> list[Finding]:
    """Whether what the SMS provider reports can be believed, or is believed on the strength of a message's address alone."""
    from app.web.receipts.providers import PROVIDERS
    from app.web.receipts.secrets import receipt_secrets

    name, secrets = settings.sms_provider, receipt_secrets(settings)
    provider = PROVIDERS.get(name)
    if provider is None or name in secrets:
        return [_good("receipts", f"{len(secrets)} providers have a key")]
    key = f"set BOOMERANG_RECEIPT_SECRETS={name}=..., docs/receipts.md"
    if provider.verify is not None:
        told = f"without its key, {name} is believed by whoever knows the address of a message's receipts; {key}"
        return [_doubtful("receipts", told)]
    return [
        _doubtful(
            "receipts", f"{name} signs nothing: without a word of ours only a message's own address counts; {key}"
        )
    ]


async def _disk(settings: Settings, _clock: Clock) -> list[Finding]:
    room = room_at(settings.data)
    text = f"{room.free / 2**30:.1f} GiB of {room.total / 2**30:.1f} GiB are free at {room.folder}"
    if room.free < DISK_SHARE * room.total:
        return [_bad("disk", f"{text}: less than a tenth; make room")]
    return [_good("disk", text)]


async def _kafka(settings: Settings, _clock: Clock) -> list[Finding]:
    found = await provision(settings, create=False)
    if found.missing:
        return [
            _good("kafka", "answers"),
            _bad(
                "topics", f"{len(found.missing)} are missing, {found.missing[0]} first; run `boomerang topics --create`"
            ),
        ]
    return [
        _good("kafka", "answers"),
        _good("topics", f"all {len(found.present)} have {settings.partitions} partitions"),
    ]


async def _transactions(settings: Settings, _clock: Clock) -> list[Finding]:
    """Whether the broker lets us have transactional ids. The one used here belongs to nobody else."""
    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaError

    producer = AIOKafkaProducer(**client_options(settings), transactional_id=f"{settings.topic_prefix}boomerang-doctor")
    try:
        await producer.start()
        await producer.begin_transaction()
        await producer.abort_transaction()
    except KafkaError as error:
        return [
            _bad(
                "transactions",
                f"the broker refuses a transactional id that begins with {settings.topic_prefix}boomerang- ({error}); "
                "grant Write and Describe on TransactionalId, and IdempotentWrite",
            )
        ]
    finally:
        await producer.stop()
    return [_good("transactions", "transactional ids are allowed")]


async def _redis(settings: Settings, clock: Clock) -> list[Finding]:
    from channels.guard import Guard

    if not settings.redis:
        return [_doubtful("redis", "none is named: repeated events are dropped by the engine alone")]
    guard = Guard(settings.redis, settings.topic_prefix, clock.monotonic, lambda: None)
    try:
        health = await guard.look()
        if health is None:
            return [_bad("redis", "does not answer; check BOOMERANG_REDIS and that it runs")]
        text = f"answers, {health.memory / 2**20:.0f} MiB used" + (
            f" of {health.limit / 2**20:.0f} MiB" if health.limit else ", no limit"
        )
        if health.limit and health.memory > 0.9 * health.limit:
            return [_bad("redis", f"{text}: nearly full; raise maxmemory")]
        before = clock.now()
        theirs = await guard.server_time()
        skew = theirs - (before + clock.now()) / 2
    finally:
        await guard.stop()
    if abs(skew) > SKEW_S:
        return [
            _good("redis", text),
            _bad("clock", f"is {abs(skew):.1f} s off from Redis' machine; mend the time synchronisation of both"),
        ]
    return [_good("redis", text), _good("clock", f"within {SKEW_S:.0f} s of Redis' machine")]


async def _smtp(settings: Settings, clock: Clock) -> list[Finding]:
    from channels.smtp_pool import Pool, RelayDown, RelayMisconfigured, relay

    if not settings.smtp:
        return [_doubtful("smtp", "no relay is named: mails go to the dev inbox; set BOOMERANG_SMTP")]
    try:
        pool = Pool(relay(settings.smtp), 1, settings.smtp_timeout, clock.monotonic)
    except ValueError as error:
        return [_bad("smtp", str(error))]
    try:
        connection = await pool.acquire()
    except RelayDown as error:
        return [_bad("smtp", f"the relay cannot be reached ({error}); check BOOMERANG_SMTP and the way there")]
    except RelayMisconfigured as error:
        return [_bad("smtp", f"the relay does not let us in ({error}); check user, password and certificate")]
    pool.release(connection, clean=True)
    await pool.close()
    found = [_good("smtp", "the relay greets us")]
    if pool.certificate_expires:
        found.append(_expiry("smtp certificate", pool.certificate_expires, clock.now()))
    return found


async def _certificates(settings: Settings, clock: Clock) -> list[Finding]:
    now = clock.now()
    found = [_expiry(f"{name} token", at, now) for name, at in settings.token_ends.items()]
    if not settings.kafka_cafile:
        return found
    at = expiry_of(settings.kafka_cafile)
    if at is None:
        return [*found, _bad("kafka certificate", f"{settings.kafka_cafile} holds none that can be read")]
    return [*found, _expiry("kafka certificate", at, now)]


def _expiry(what: str, at: float, now: float) -> Finding:
    days = (at - now) / DAY
    if days < 0:
        return _bad(what, "has expired; renew it")
    text = f"expires in {days:.0f} days"
    return _doubtful(what, f"{text}; renew it") if days < EXPIRY_DAYS else _good(what, text)


async def _sql(settings: Settings, _clock: Clock) -> list[Finding]:
    def ask() -> None:
        store = JournalStore(settings.sql_url)
        try:
            store.recent(1)
        finally:
            store.close()

    await asyncio.to_thread(ask)
    kind = settings.sql_url.split(":", 1)[0].split("+", 1)[0]
    found = [_good("journal", f"the {kind} database answers")]
    if kind == "sqlite" and split(settings.kafka) and "127.0.0.1" not in settings.kafka:
        found.append(_doubtful("journal", "SQLite suits one machine; set BOOMERANG_SQL where processes run on several"))
    return found


EXAMINATIONS: dict[str, Examination] = {
    "settings": _settings,
    "scenarios": _scenarios,
    "chat": _chat,
    "receipts": _receipts,
    "disk": _disk,
    "kafka certificate": _certificates,
    "kafka": _kafka,
    "transactions": _transactions,
    "redis": _redis,
    "smtp": _smtp,
    "journal": _sql,
}
