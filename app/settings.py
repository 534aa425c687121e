"""All settings: the only reader of the environment.

Each is an environment variable `BOOMERANG_<NAME>`; `boomerang settings` prints this table. Nothing else reads `os.environ`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.bounds import BUILT_IN_SEGMENTS, PREFIX, split, verify
from app.errors import SettingsError

__all__ = ("PREFIX", "Settings", "child_environment", "environment", "load", "setting", "split")


def setting(default: Any, text: str, *, secret: bool = False) -> Any:
    """One setting: its default and its meaning. A secret's value is never printed."""
    return field(default=default, metadata={"text": text, "secret": secret})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Values of all settings. An empty `kafka` or `redis` means: run the embedded one (`boomerang up`)."""

    kafka: str = setting("", "Kafka as kafka://host:port[,host:port]; empty: embedded")
    kafka_security: str = setting("", "empty, SSL, SASL_PLAINTEXT or SASL_SSL")
    kafka_mechanism: str = setting("SCRAM-SHA-512", "SASL mechanism: SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN")
    kafka_username: str = setting("", "SASL user name")
    kafka_password: str = setting("", "SASL password", secret=True)
    kafka_cafile: str = setting("", "file with the CA certificates of the broker")
    topic_prefix: str = setting("", "put before each topic's name, group id and transactional id")
    partitions: int = setting(4, "partitions of every topic; set before the first start")
    replication: int = setting(1, "replication factor of topics that we create")
    redis: str = setting("", "Redis or Valkey as redis://host:port/db; empty: embedded")
    smtp: str = setting(
        "",
        "relay as smtp://[user:password@]host:port (STARTTLS), smtps://... (TLS) or "
        "smtp+plain://... (no TLS, loopback only); empty: the dev inbox",
        secret=True,
    )
    smtp_connections: int = setting(8, "connections to the relay (1 to 32)")
    smtp_timeout: float = setting(20.0, "seconds to wait for the relay")
    mail_from: str = setting("Boomerang <shop@shop.example>", "From of e-mails")
    bounce_address: str = setting(
        "", "address that bounces go to (the envelope's sender); empty: that of BOOMERANG_MAIL_FROM"
    )
    bounce_verp: str = setting("", "+ or -: bounces go to an address of each mail's own, bounces+CODE@shop.example")
    bounce_mailbox: str = setting(
        "", "mailbox of that address, read by `boomerang bounces`, as imaps://user:password@host/FOLDER", secret=True
    )
    dkim_keys: str = setting(
        "", "comma-separated SELECTOR=FILE of private keys (PEM, RSA or Ed25519) that sign e-mails; empty: no DKIM"
    )
    dkim_domain: str = setting("", "domain of the DKIM signatures; empty: that of BOOMERANG_MAIL_FROM")
    telegram_token: str = setting(
        "", "bot that tells the sales team, as 123456:ABC...; empty: no Telegram", secret=True
    )
    telegram_secret: str = setting(
        "", "secret token of that bot's own webhook, by which presses of buttons are believed", secret=True
    )
    telegram_api: str = setting("https://api.telegram.org", "address of the Bot API")
    telegram_bots: str = setting(
        "", "comma-separated SOURCE=TOKEN of the bots that customers write to, named as in BOOMERANG_CHATS", secret=True
    )
    vk_tokens: str = setting(
        "",
        "comma-separated SOURCE=KEY: access keys of the communities that customers write to, named as in BOOMERANG_CHATS",
        secret=True,
    )
    vk_api: str = setting("https://api.vk.com", "address of VK's API")
    whatsapp_token: str = setting(
        "", "token of a system user for WhatsApp's Cloud API; empty: no WhatsApp", secret=True
    )
    whatsapp_number: str = setting("", "id of the business number (Phone number ID)")
    whatsapp_api: str = setting("https://graph.facebook.com/v23.0", "address of the Cloud API with its version")
    slack_hooks: str = setting("", "comma-separated NAME=URL of Slack's incoming webhooks", secret=True)
    mattermost_hooks: str = setting("", "comma-separated NAME=URL of Mattermost's incoming webhooks", secret=True)
    webhook_hooks: str = setting("", "comma-separated NAME=URL of signed webhooks", secret=True)
    webhook_secrets: str = setting(
        "", "comma-separated whsec_... that sign them; two while a receiver changes his", secret=True
    )
    receipt_secrets: str = setting(
        "",
        "comma-separated PROVIDER=SECRET by which receipts are believed: Twilio's auth token, the word entered at SMSC.ru, whsec_... of "
        "our own form; of those who sign nothing the word in ?key=; two of one provider while it is changed",
        secret=True,
    )
    dev_inbox: str = setting(
        "",
        "where messages of channels without a provider go, as http://127.0.0.1:8001/api/inbox/messages; `boomerang up` sets it "
        "where no relay is set",
    )
    sms_provider: str = setting("", "who carries SMS: exolve, smsaero, smsc, twilio or smpp; empty: nobody")
    sms_key: str = setting(
        "",
        "its credentials: Exolve API-KEY, SMS Aero EMAIL:API-KEY, SMSC.ru API-KEY or LOGIN:PASSWORD, Twilio SID:TOKEN",
        secret=True,
    )
    sms_from: str = setting("", "the number or name that SMS come from")
    sms_api: str = setting("", "address of the provider's API; empty: its usual one")
    smpp: str = setting(
        "",
        "SMSC of the provider smpp, as smpp://system_id:password@host:2775 or smpps://... (TLS), with ?system_type=...&long=udh (or sar)",
        secret=True,
    )
    sms_per_second: float = setting(20.0, "SMS handed over a second at most; 0: any number")
    sms_segments: int = setting(4, "segments that an SMS may have at most (1 to 255): each is paid for")
    webpush_private_key: str = setting(
        "", "private key of web push, of `boomerang webpush-keys`; empty: no web push", secret=True
    )
    webpush_public_key: str = setting("", "public key of the same pair, which browsers are given")
    webpush_contact: str = setting("", "whom a push service may write to, as mailto:push@shop.example or https://...")
    webpush_hosts: str = setting(
        "fcm.googleapis.com,push.services.mozilla.com,notify.windows.com,push.apple.com",
        "comma-separated hosts of push services, with those below them; subscriptions elsewhere are not spoken to",
    )
    fcm_account: str = setting("", "key file (JSON) of the service account that pushes to apps; empty: no FCM")
    fcm_api: str = setting("https://fcm.googleapis.com", "address of FCM")
    http_timeout: float = setting(10.0, "seconds to wait for providers over HTTP")
    egress_allow: str = setting(
        "",
        "comma-separated networks (10.1.0.0/16) that webhooks may lie in besides the public internet, and over http:// at all",
    )
    data: Path = setting(Path("var"), "folder of the embedded servers, the dev inbox and SQLite files")
    cache: Path = setting(Path("~/.cache/boomerang"), "folder of the fetched Kafka, shared by all data folders")
    sql: str = setting("", "SQLAlchemy URL of the journal; empty: SQLite in the data folder", secret=True)
    anonymous_days: int = setting(90, "days that a visitor without a name is remembered after the last visit")
    journal_days: int = setting(90, "days that the journal keeps a line")
    write_keys: str = setting(
        "browser:demo-browser,server:demo-server",
        "comma-separated KIND:KEY; browser keys may only append behaviour",
        secret=True,
    )
    secret: str = setting("", "signs links and tokens; empty: made once and kept in the data folder", secret=True)
    public_url: str = setting("", "how customers reach the collector; empty: http://127.0.0.1:<collector port>")
    tracking: str = setting(
        "links,opens",
        "what is noticed of marketing messages: links (followed), opens (an invisible picture in mails); empty: nothing",
    )
    utm: str = setting(
        "",
        "parameters added to the links of marketing messages, such as "
        "utm_source=boomerang&utm_medium={channel}&utm_campaign={scenario}; empty: none",
    )
    shop_url: str = setting("http://127.0.0.1:8002", "the shop's own address, for links in mails")
    cors_origins: str = setting(
        "http://127.0.0.1:8002,http://localhost:8002", "comma-separated origins that may send events from a browser"
    )
    link_hosts: str = setting(
        "", "comma-separated further hosts (a picture server) that products told by a browser may point to in mails"
    )
    chats: str = setting("", "YAML file of the messengers and help desks that may speak to us; empty: none")
    phone_country: str = setting(
        "",
        "the shop's country as an ISO code (RU), which completes national phone numbers; empty: they stay as they were told",
    )
    trusted_proxies: str = setting(
        "",
        "comma-separated addresses and networks (10.0.0.0/8) of proxies whose X-Forwarded-For is believed; by the console "
        "also X-Forwarded-Proto and BOOMERANG_CONSOLE_PROXY_HEADER",
    )
    rate_per_key: int = setting(20_000, "requests per second allowed to one write key")
    rate_per_address: int = setting(
        200, "requests (of up to 20 events) per second allowed to one client address and browser key"
    )
    collector_host: str = setting("127.0.0.1", "address that the collector listens on")
    collector_port: int = setting(8000, "port of the collector")
    collector_metrics_host: str = setting(
        "127.0.0.1", "address that the collector's metrics listen on; never a public one"
    )
    collector_metrics_port: int = setting(8003, "port of the collector's metrics")
    console_host: str = setting("127.0.0.1", "address that the console listens on")
    console_port: int = setting(8001, "port of the console")
    chat_gateway_host: str = setting("127.0.0.1", "address that the chat gateway's metrics and health listen on")
    chat_gateway_port: int = setting(6068, "port of the chat gateway's metrics and health")
    console_users: str = setting(
        "",
        "who may log in to the console: NAME:HASH, separated by blanks; `boomerang password` makes a hash",
        secret=True,
    )
    console_proxy_header: str = setting(
        "", "header in which a proxy of BOOMERANG_TRUSTED_PROXIES tells who has logged in, such as X-Forwarded-User"
    )
    console_open: bool = setting(
        False, "answer without a login on other addresses than loopback too; for closed networks"
    )
    console_url: str = setting(
        "",
        "how the sales team reaches the console, for links in alerts; empty: no links. With a login, the console answers to "
        "its host too",
    )
    shop_port: int = setting(8002, "port of the demo shop")
    worker_host: str = setting("127.0.0.1", "address that the web of worker and delivery agent listens on")
    worker_port: int = setting(6066, "port of the worker's web (metrics, health)")
    delivery_port: int = setting(6067, "port of the delivery agent's web (metrics, health)")
    inbox_port: int = setting(8025, "SMTP port of the dev inbox")
    instance: str = setting("", "name of this worker; a stable one gives static membership")
    standbys: int = setting(
        0,
        "further workers that hold a copy of each partition's state (0 to 3): a takeover need not restore it, memory grows",
    )
    scenarios: Path = setting(Path(__file__).parent / "scenarios", "folder of scenario files")
    segments: Path = setting(BUILT_IN_SEGMENTS, "folder of segment files; watched as that of the scenarios is")
    reload_seconds: float = setting(2.0, "seconds between the worker's looks for changes there; 0: at SIGHUP alone")
    templates: str = setting("", "folder of the shop's own templates, looked at before ours; empty: ours alone")
    team: Path = setting(
        Path(__file__).parent / "team.yaml", "file of the sales team: who is told of dialogs, and the business hours"
    )
    policy: Path = setting(
        Path(__file__).parent / "policy.yaml",
        "file of what the shop allows itself: caps, quiet hours, control group, prices",
    )
    time: str = setting("live", "live (wall clock) or stream (largest event time of the partition)")
    time_scale: float = setting(1.0, "scenario waits are divided by it; demos and tests only")
    grace: float = setting(2.0, "seconds of wall clock between due and firing")
    log_level: str = setting(
        "INFO", "DEBUG, INFO, WARNING or ERROR; SIGUSR1 and SIGUSR2 change it in a running process"
    )
    log_format: str = setting("plain", "plain, or json: one object a line")
    token_expiries: str = setting(
        "",
        "comma-separated name=2027-01-31: on which day (UTC) a provider's token or key ends; an alert reminds two weeks before",
    )
    otlp: str = setting(
        "", "base address of an OpenTelemetry collector (http://host:4318) that takes traces; empty: none are made"
    )
    otlp_headers: str = setting("", "comma-separated name=value headers for it", secret=True)
    trace_share: float = setting(0.01, "share of journeys, from an event to the provider's answer, that are traced")
    locale: str = setting("en", "language of messages where the customer's is unknown: en or ru")
    respect_dnt: bool = setting(False, "the tracker stays silent for visitors with Do-Not-Track or GPC")

    @property
    def write_keys_by_key(self) -> dict[str, str]:
        """Write key -> kind (`browser` or `server`)."""
        return {key: kind for kind, key in (item.split(":", 1) for item in split(self.write_keys))}

    @property
    def token_ends(self) -> dict[str, float]:
        """When tokens end that a person has written down: name -> epoch seconds. Raises ValueError."""
        items = (item.split("=", 1) for item in split(self.token_expiries))
        return {name: datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() for name, day in items}

    @property
    def otlp_headers_by_name(self) -> dict[str, str]:
        """Headers for the OpenTelemetry collector."""
        return dict(item.split("=", 1) for item in split(self.otlp_headers))

    @property
    def public_base(self) -> str:
        """Public base URL of the collector, without a trailing slash."""
        return (self.public_url or f"http://127.0.0.1:{self.collector_port}").rstrip("/")

    @property
    def console_base(self) -> str:
        """The console's address for links, without a trailing slash; empty: none is known."""
        return self.console_url.rstrip("/")

    @property
    def sql_url(self) -> str:
        """SQLAlchemy URL of the journal's database."""
        return self.sql or f"sqlite:///{self.data.absolute() / 'journal.sqlite'}"


KINDS = {int: "a whole number", float: "a number", bool: "yes or no"}


PATHS = frozenset({"data", "scenarios", "segments", "cache", "team", "policy"})


def _convert(name: str, kind: Any, text: str) -> Any:
    try:
        if kind is bool:
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}[
                text.strip().lower()
            ]
        return kind(text)
    except (ValueError, KeyError):
        raise SettingsError(f"{PREFIX}{name.upper()}={text!r} is not {KINDS.get(kind, kind.__name__)}") from None


def load(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Settings from the environment; `overrides` win. Raises SettingsError for an unknown or unusable one."""
    environ = os.environ if environ is None else environ
    known = {f.name: f for f in fields(Settings)}
    values: dict[str, Any] = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX):
            continue
        name = variable[len(PREFIX) :].lower()
        if name in known:
            values[name] = _convert(name, Path if name in PATHS else type(known[name].default), text)
        elif variable not in NOT_SETTINGS:
            raise SettingsError(f"{variable} is not a setting; `boomerang settings` lists them")
    settings = Settings(**{**values, **overrides})
    verify(settings)
    return settings


NOT_SETTINGS = {"BOOMERANG_PEERS", "BOOMERANG_REQUIRE_ALL"}
"""Variables of the test suite and of the benches that share the prefix."""


def environment(settings: Settings) -> dict[str, str]:
    """The variables that make `load` return these settings: how the supervisor tells its children."""
    out = {}
    for item in fields(Settings):
        value = getattr(settings, item.name)
        if value != item.default:
            out[PREFIX + item.name.upper()] = str(int(value) if isinstance(value, bool) else value)
    return out


def child_environment(settings: Settings) -> dict[str, str]:
    """The whole environment of a child process: ours, with these settings in place of those that we were started with."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**inherited, **environment(settings)}
