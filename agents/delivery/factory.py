"""The sender as the settings want it."""

from email.utils import parseaddr
from functools import partial
from pathlib import Path
from typing import Any

from agents.delivery.ears import Ears
from agents.delivery.links import Links
from agents.delivery.service import Delivery
from agents.delivery.speaker import Attempted
from agents.delivery.tracking import Tracking
from agents.policy import PolicyError, load_policy
from app import metrics
from app.clock import SYSTEM, Clock
from app.errors import SettingsError
from app.metrics import GUARD_UNAVAILABLE
from app.model.policy import Policy
from app.model.receipt import Spoken
from app.settings import Settings, split
from app.tokens import BadToken, inbox_token, load_secret, read_receipt_token
from channels.channel import Channel
from channels.guard import Guard
from channels.pipeline import Urls
from channels.references import References
from channels.registry import Options, make_channels
from channels.render import TEMPLATES, Templates
from channels.sms.smpp import Heard

_NOT_SETTINGS = frozenset({"smtp", "monotonic", "now", "trust", "dev_inbox_token", "heard", "pace"})
"""Options that are not taken from the settings as they are."""


def make_delivery(
    settings: Settings, clock: Clock, attempted: Attempted | None = None, templates: Templates | None = None
) -> Delivery:
    """The sender of these settings; `attempted` hears of each attempt. Raises SettingsError (one line that says what to mend)."""
    secret = load_secret(settings)
    links = Links(settings, secret)
    templates = templates or templates_of(settings)
    guard = (
        Guard(settings.redis, settings.topic_prefix, clock.monotonic, GUARD_UNAVAILABLE.inc) if settings.redis else None
    )
    references = _references(settings, clock)
    ears = Ears(references, partial(_stands_for, secret, clock), clock, settings.partitions)
    delivery = Delivery(
        channels=channels_of(settings, clock, ears.hear),
        templates=templates,
        urls=Urls(links.unsubscribe, links.receipt, links.confirm),
        tracking=Tracking(settings, links, references),
        clock=clock,
        live=settings.time == "live",
        grace=settings.grace,
        guard=guard,
        board=settings.console_base,
        probe=None if guard is None else lambda: _look(guard),
        attempted=attempted,
        policy=_policy(settings),
        partitions=settings.partitions,
    )
    ears.desks = delivery.desks
    return delivery


def templates_of(settings: Settings) -> Templates:
    """The templates, all of them compiled. Raises SettingsError with what is wrong with the first that cannot be used."""
    shop_name, _ = parseaddr(settings.mail_from)
    templates = Templates(
        *template_folders(settings),
        shop_url=settings.shop_url,
        locale=settings.locale,
        shop_name=shop_name,
        cpu=SYSTEM.cpu,
    )
    problems = templates.load()
    if problems:
        raise SettingsError(problems[0])
    return templates


def _policy(settings: Settings) -> Policy:
    """The policy of the settings' file: the sender asks for quiet hours, caps and budgets once more. Raises SettingsError."""
    try:
        return load_policy(settings.policy, time_scale=settings.time_scale)
    except PolicyError as error:
        raise SettingsError(str(error)) from None


def _stands_for(secret: str, clock: Clock, token: str) -> Spoken | None:
    try:
        return read_receipt_token(secret, token, clock.now())
    except BadToken:
        return None


def _references(settings: Settings, clock: Clock) -> References | None:
    if not settings.redis:
        return None
    return References(settings.redis, settings.topic_prefix, clock.monotonic, metrics.REFERENCES_UNAVAILABLE.inc)


def template_folders(settings: Settings) -> tuple[Path, ...]:
    """Where templates lie: the shop's folder before ours. Raises SettingsError where there is no such folder."""
    if not settings.templates:
        return (TEMPLATES,)
    own = Path(settings.templates)
    if not own.is_dir():
        raise SettingsError(f"BOOMERANG_TEMPLATES={settings.templates!r} is not a folder")
    return own, TEMPLATES


async def _look(guard: Guard) -> None:
    """Show how Redis is."""
    health = await guard.look()
    metrics.REDIS_UP.labels("guard").set(health is not None)
    if health is not None:
        for state, count in (("busy", health.busy), ("idle", health.idle), ("limit", health.most)):
            metrics.REDIS_CONNECTIONS.labels("guard", state).set(count)
        metrics.REDIS_MEMORY.set(health.memory)
        metrics.REDIS_MEMORY_LIMIT.set(health.limit)


def channels_of(settings: Settings, clock: Clock, heard: Heard | None = None) -> dict[str, Channel]:
    """The channels that these settings turn on; `heard` takes what providers tell over their own connections. Raises SettingsError (one line that says what to mend)."""
    options = Options(
        **_of_the_same_names(settings),
        smtp=settings.smtp or f"smtp+plain://127.0.0.1:{settings.inbox_port}",
        monotonic=clock.monotonic,
        now=clock.now,
        dev_inbox_token=inbox_token(load_secret(settings)) if settings.dev_inbox else "",
        heard=heard,
    )
    try:
        return make_channels(options)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _of_the_same_names(settings: Settings) -> dict[str, Any]:
    """The options that are settings: a comma-separated one where several values are wanted."""
    several = {name for name, default in Options._field_defaults.items() if isinstance(default, tuple)}
    told = {name: getattr(settings, name) for name in Options._fields if name not in _NOT_SETTINGS}
    return {name: split(value) if name in several else value for name, value in told.items()}
