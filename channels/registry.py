"""The channels that we speak: one line each."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from channels import email, mattermost, slack, telegram, vk, webhook, whatsapp
from channels.channel import Channel
from channels.destination import networks
from channels.devbox import STANDS_IN_FOR, DevBox
from channels.egress import Egress, unusable
from channels.hooks import accounts, named
from channels.rate import Rate
from channels.sms import channel as sms
from channels.sms.make import make as make_sms
from channels.sms.smpp import Heard, Smpp


class Options(NamedTuple):
    """What channels are made from; the settings of the same names. `trust`: file with CA certificates (tests)."""

    smtp: str
    smtp_connections: int
    smtp_timeout: float
    mail_from: str
    monotonic: Callable[[], float]
    trust: str = ""
    now: Callable[[], float] = float
    http_timeout: float = 10.0
    egress_allow: Sequence[str] = ()
    telegram_token: str = ""
    telegram_api: str = ""
    slack_hooks: Sequence[str] = ()
    mattermost_hooks: Sequence[str] = ()
    webhook_hooks: Sequence[str] = ()
    webhook_secrets: Sequence[str] = ()
    webpush_private_key: str = ""
    webpush_public_key: str = ""
    webpush_contact: str = ""
    webpush_hosts: Sequence[str] = ()
    fcm_account: str = ""
    fcm_api: str = ""
    bounce_address: str = ""
    bounce_verp: str = ""
    dkim_keys: Sequence[str] = ()
    dkim_domain: str = ""
    telegram_bots: Sequence[str] = ()
    vk_tokens: Sequence[str] = ()
    vk_api: str = ""
    whatsapp_token: str = ""
    whatsapp_number: str = ""
    whatsapp_api: str = ""
    sms_provider: str = ""
    sms_key: str = ""
    sms_from: str = ""
    sms_api: str = ""
    sms_per_second: float = 0.0
    sms_segments: int = 4
    smpp: str = ""
    heard: Heard | None = None
    dev_inbox: str = ""
    dev_inbox_token: str = ""
    pace: float = 1.0
    """Multiplies the seconds between two messages to a chat (tests)."""

    def rate(self, per_second: float) -> Rate:
        """Turns of an account that takes so many messages a second (0: any number)."""
        return Rate(per_second / self.pace, self.monotonic)

    def egress(self) -> Egress:
        """A client of outgoing requests."""
        return Egress(timeout=self.http_timeout, now=self.now, allow=networks(self.egress_allow), trust=self.trust)


def _email(options: Options) -> Channel:
    return email.Email(
        smtp=options.smtp,
        connections=options.smtp_connections,
        timeout=options.smtp_timeout,
        sender=options.mail_from,
        monotonic=options.monotonic,
        trust=options.trust,
        bounce_address=options.bounce_address,
        verp=options.bounce_verp,
        dkim_keys=options.dkim_keys,
        dkim_domain=options.dkim_domain,
    )


def _telegram(options: Options) -> Channel | None:
    bots = accounts(options.telegram_bots, "BOOMERANG_TELEGRAM_BOTS")
    if not options.telegram_token and not bots:
        return None
    return telegram.Telegram(
        token=options.telegram_token,
        api=options.telegram_api,
        egress=options.egress(),
        monotonic=options.monotonic,
        pace=options.pace,
        bots=bots,
    )


def _slack(options: Options) -> Channel | None:
    urls = named(options.slack_hooks, "BOOMERANG_SLACK_HOOKS")
    if not urls:
        return None
    every = slack.EVERY * options.pace
    return slack.make(urls=urls, egress=options.egress(), monotonic=options.monotonic, every=every)


def _mattermost(options: Options) -> Channel | None:
    urls = named(options.mattermost_hooks, "BOOMERANG_MATTERMOST_HOOKS")
    if not urls:
        return None
    every = mattermost.EVERY * options.pace
    return mattermost.make(urls=urls, egress=options.egress(), monotonic=options.monotonic, every=every)


def _webhook(options: Options) -> Channel | None:
    urls = named(options.webhook_hooks, "BOOMERANG_WEBHOOK_HOOKS")
    if not urls:
        return None
    return webhook.Webhook(urls=urls, secrets=options.webhook_secrets, egress=options.egress(), now=options.now)


def _vk(options: Options) -> Channel | None:
    tokens = accounts(options.vk_tokens, "BOOMERANG_VK_TOKENS")
    rates = {source: options.rate(vk.PER_SECOND) for source in tokens}
    return vk.Vk(tokens=tokens, api=options.vk_api, egress=options.egress(), rates=rates) if tokens else None


def _whatsapp(options: Options) -> Channel | None:
    if not options.whatsapp_token and not options.whatsapp_number:
        return None
    return whatsapp.WhatsApp(
        token=options.whatsapp_token,
        number=options.whatsapp_number,
        api=options.whatsapp_api,
        egress=options.egress(),
        rate=options.rate(whatsapp.PER_SECOND),
        monotonic=options.monotonic,
        pace=options.pace,
    )


def _sms(options: Options) -> Channel | None:
    return make_sms(
        provider=options.sms_provider,
        key=options.sms_key,
        sender=options.sms_from,
        api=options.sms_api,
        most=options.sms_segments,
        egress=options.egress,
        rate=options.rate(options.sms_per_second),
        smpp=lambda: Smpp(
            url=options.smpp,
            sender=options.sms_from,
            timeout=options.http_timeout,
            heard=options.heard,
            trust=options.trust,
        ),
    )


def _webpush(options: Options) -> Channel | None:
    if not options.webpush_private_key:
        return None
    from channels import webpush  # signing and encryption take 7 MB

    return webpush.WebPush(
        private_key=options.webpush_private_key,
        public_key=options.webpush_public_key,
        contact=options.webpush_contact,
        hosts=options.webpush_hosts or webpush.HOSTS,
        egress=options.egress(),
        now=options.now,
    )


def _fcm(options: Options) -> Channel | None:
    if not options.fcm_account:
        return None
    from channels import fcm  # as above

    return fcm.Fcm(account_file=options.fcm_account, api=options.fcm_api, egress=options.egress(), now=options.now)


CHANNELS: Mapping[str, Callable[[Options], Channel | None]] = {
    email.NAME: _email,
    telegram.NAME: _telegram,
    slack.NAME: _slack,
    mattermost.NAME: _mattermost,
    webhook.NAME: _webhook,
    sms.NAME: _sms,
    vk.NAME: _vk,
    whatsapp.NAME: _whatsapp,
    "webpush": _webpush,
    "fcm": _fcm,
}
"""Name of the channel (as scenarios write it) -> how it is made; None where the settings do not turn it on."""


def make_channels(options: Options) -> dict[str, Channel]:
    """The channels that are on. Raises ValueError with one line that says what to mend."""
    made = ((name, make(options) or _stand_in(name, options)) for name, make in CHANNELS.items())
    return {name: channel for name, channel in made if channel is not None}


def _stand_in(name: str, options: Options) -> Channel | None:
    """The dev inbox in place of a provider that is not there."""
    if not options.dev_inbox or name not in STANDS_IN_FOR:
        return None
    problem = unusable(options.dev_inbox)
    if problem:
        raise ValueError(f"BOOMERANG_DEV_INBOX: {problem}")
    try:
        allow = networks([urlsplit(options.dev_inbox).hostname or ""])
    except ValueError:
        raise ValueError("BOOMERANG_DEV_INBOX must name the console by its address, such as 127.0.0.1") from None
    egress = Egress(timeout=options.http_timeout, now=options.now, allow=allow, trust=options.trust)
    return DevBox(name, url=options.dev_inbox, token=options.dev_inbox_token, egress=egress)
