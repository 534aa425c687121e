"""The sender as the settings want it."""

from email.utils import parseaddr
from functools import partial
from pathlib import Path

from agents.delivery.ears import Ears
from agents.delivery.links import Links
from agents.delivery.service import Delivery
from agents.delivery.speaker import Attempted
from agents.delivery.tracking import Tracking
from app import metrics
from app.clock import SYSTEM, Clock
from app.errors import SettingsError
from app.metrics import GUARD_UNAVAILABLE
from app.settings import Settings, split
from app.tokens import BadToken, Spoken, inbox_token, load_secret, read_receipt_token
from channels.channel import Channel
from channels.guard import Guard
from channels.references import References
from channels.registry import Options, make_channels
from channels.render import TEMPLATES, Templates
from channels.sms.smpp import Heard


def make_delivery(settings: Settings, clock: Clock, attempted: Attempted | None = None) -> Delivery:
    """The sender of these settings; `attempted` hears of each attempt. Raises SettingsError (one line that says what to mend)."""
    secret = load_secret(settings)
    links = Links(settings, secret)
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
    guard = (
        Guard(settings.redis, settings.topic_prefix, clock.monotonic, GUARD_UNAVAILABLE.inc) if settings.redis else None
    )
    references = _references(settings, clock)
    ears = Ears(references, partial(_stands_for, secret, clock), clock)
    delivery = Delivery(
        channels=channels_of(settings, clock, ears.hear),
        templates=templates,
        unsubscribe_url=links.unsubscribe,
        receipt_url=links.receipt,
        tracking=Tracking(settings, links, references),
        clock=clock,
        live=settings.time == "live",
        grace=settings.grace,
        guard=guard,
        board=settings.console_base,
        probe=None if guard is None else lambda: _look(guard),
        attempted=attempted,
    )
    ears.desks = delivery.desks
    return delivery


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
        smtp=settings.smtp or f"smtp+plain://127.0.0.1:{settings.inbox_port}",
        smtp_connections=settings.smtp_connections,
        smtp_timeout=settings.smtp_timeout,
        mail_from=settings.mail_from,
        monotonic=clock.monotonic,
        now=clock.now,
        http_timeout=settings.http_timeout,
        egress_allow=split(settings.egress_allow),
        telegram_token=settings.telegram_token,
        telegram_api=settings.telegram_api,
        slack_hooks=split(settings.slack_hooks),
        mattermost_hooks=split(settings.mattermost_hooks),
        webhook_hooks=split(settings.webhook_hooks),
        webhook_secrets=split(settings.webhook_secrets),
        telegram_bots=split(settings.telegram_bots),
        vk_tokens=split(settings.vk_tokens),
        vk_api=settings.vk_api,
        whatsapp_token=settings.whatsapp_token,
        whatsapp_number=settings.whatsapp_number,
        whatsapp_api=settings.whatsapp_api,
        dev_inbox=settings.dev_inbox,
        dev_inbox_token=inbox_token(load_secret(settings)) if settings.dev_inbox else "",
        smpp=settings.smpp,
        heard=heard,
        sms_provider=settings.sms_provider,
        sms_key=settings.sms_key,
        sms_from=settings.sms_from,
        sms_api=settings.sms_api,
        sms_per_second=settings.sms_per_second,
        sms_segments=settings.sms_segments,
        webpush_private_key=settings.webpush_private_key,
        webpush_public_key=settings.webpush_public_key,
        webpush_contact=settings.webpush_contact,
        webpush_hosts=split(settings.webpush_hosts),
        fcm_account=settings.fcm_account,
        fcm_api=settings.fcm_api,
        bounce_address=settings.bounce_address,
        dkim_keys=split(settings.dkim_keys),
        dkim_domain=settings.dkim_domain,
    )
    try:
        return make_channels(options)
    except ValueError as error:
        raise SettingsError(str(error)) from None
