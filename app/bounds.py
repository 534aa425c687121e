"""What the settings must hold, each with the line that says what to write."""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.errors import SettingsError

if TYPE_CHECKING:
    from app.settings import Settings

PREFIX = "BOOMERANG_"
BUILT_IN_SEGMENTS = Path(__file__).parent / "segments"
"""The default of `segments`, of which the worker works out none unless a scenario asks for one."""
MOST_TOKENS, LONGEST_NAME = 20, 40
"""Names of tokens are labels of a metric."""
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
BETWEEN: dict[str, tuple[float, float]] = {
    "partitions": (1, 512),
    "standbys": (0, 3),
    "anonymous_days": (1, 3650),
    "grace": (0, 3600),
    "reload_seconds": (0, 3600),
    "http_timeout": (0.1, 120),
    "smtp_connections": (1, 32),
    "sms_segments": (1, 255),
    "sms_per_second": (0, 10_000),
    "trace_share": (0, 1),
    "collector_port": (0, 65_535),
    "collector_metrics_port": (0, 65_535),
    "console_port": (0, 65_535),
    "chat_gateway_port": (0, 65_535),
    "shop_port": (0, 65_535),
    "worker_port": (0, 65_535),
    "delivery_port": (0, 65_535),
    "inbox_port": (0, 65_535),
}
"""Numbers, the bounds included."""
ONE_OF: dict[str, tuple[str, ...]] = {
    "time": ("live", "stream"),
    "kafka_security": ("", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    "kafka_mechanism": ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"),
    "log_format": ("plain", "json"),
    "log_level": LEVELS,
    "locale": ("en", "ru"),
}
SCHEMES: dict[str, tuple[str, ...]] = {
    "kafka": ("kafka",),
    "redis": ("redis", "rediss", "unix"),
    "smtp": ("smtp", "smtps", "smtp+plain"),
    "console_url": ("https", "http"),
    "otlp": ("https", "http"),
}


def split(text: str) -> list[str]:
    """The items of a comma-separated setting."""
    return [item.strip() for item in text.split(",") if item.strip()]


def verify(settings: "Settings") -> None:
    """Raise SettingsError for the first setting that cannot be used."""
    for name, (low, high) in BETWEEN.items():
        _need(low <= getattr(settings, name) <= high, name, f"must be between {low:g} and {high:g}")
    for name, values in ONE_OF.items():
        *first, last = (value or "empty" for value in values)
        _need(getattr(settings, name) in values, name, f"must be {', '.join(first)} or {last}")
    for name, schemes in SCHEMES.items():
        value = getattr(settings, name)
        fine = not value or urlsplit(value).scheme in schemes
        _need(fine, name, f"must begin with {' or '.join(scheme + '://' for scheme in schemes)}")
    _need(0 < settings.time_scale <= 1_000_000, "time_scale", "must be above 0")
    if (settings.kafka_mechanism, settings.kafka_security) == ("PLAIN", "SASL_PLAINTEXT"):
        raise SettingsError(
            "BOOMERANG_KAFKA_MECHANISM=PLAIN would send the password in clear: it needs BOOMERANG_KAFKA_SECURITY=SASL_SSL"
        )
    for item in split(settings.write_keys):
        kind, colon, key = item.partition(":")
        fine = kind in ("browser", "server") and bool(colon and key)
        _need(fine, "write_keys", "must look like browser:KEY,server:KEY")
    _need(_are_days(settings), "token_expiries", "must look like whatsapp=2027-01-31,vk=2027-05-01")
    fine = all("=" in item for item in split(settings.otlp_headers))
    _need(fine, "otlp_headers", "must look like name=value,other=value")


def _are_days(settings: "Settings") -> bool:
    try:
        names = list(settings.token_ends)
    except ValueError:
        return False
    return all(name.isidentifier() and len(name) <= LONGEST_NAME for name in names) and len(names) <= MOST_TOKENS


def _need(condition: bool, name: str, text: str) -> None:
    if not condition:
        raise SettingsError(f"{PREFIX}{name.upper()} {text}")
