"""The sender as the settings want it."""

from email.utils import parseaddr
from functools import partial

from agents.delivery.channels import channels_of, template_folders
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
from app.settings import Settings
from app.tokens import BadToken, load_secret, read_receipt_token
from channels.guard import Guard
from channels.pipeline import Urls
from channels.references import References
from channels.render import Templates


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


async def _look(guard: Guard) -> None:
    """Show how Redis is."""
    health = await guard.look()
    metrics.REDIS_UP.labels("guard").set(health is not None)
    if health is not None:
        for state, count in (("busy", health.busy), ("idle", health.idle), ("limit", health.most)):
            metrics.REDIS_CONNECTIONS.labels("guard", state).set(count)
        metrics.REDIS_MEMORY.set(health.memory)
        metrics.REDIS_MEMORY_LIMIT.set(health.limit)
