"""How every aiokafka client of ours reaches the broker: addresses and security, from settings alone."""

import ssl
from typing import Any

from app.errors import SettingsError
from app.settings import Settings

SASL_MECHANISM = "SCRAM-SHA-512"


def bootstrap_servers(settings: Settings) -> list[str]:
    """Addresses of `kafka://host:port[,host:port]` as `host:port`. Raises SettingsError when there is none."""
    servers = [item.strip().removeprefix("kafka://").rstrip("/") for item in settings.kafka.split(",") if item.strip()]
    if not servers or not all(servers):
        raise SettingsError(
            "no Kafka: set BOOMERANG_KAFKA=kafka://host:port, or use `boomerang up`, which runs its own"
        )
    return [server if ":" in server else f"{server}:9092" for server in servers]


def client_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments that every aiokafka producer, consumer or admin client takes.

    TLS is verified (against `kafka_cafile` when it is set); there is no switch that turns that off. Raises SettingsError.
    """
    options: dict[str, Any] = {"bootstrap_servers": bootstrap_servers(settings)}
    security = settings.kafka_security
    if security:
        options["security_protocol"] = security
    if security in ("SSL", "SASL_SSL"):
        options["ssl_context"] = _tls(settings.kafka_cafile)
    if security.startswith("SASL_"):
        if not settings.kafka_username or not settings.kafka_password:
            raise SettingsError(f"BOOMERANG_KAFKA_SECURITY={security} needs BOOMERANG_KAFKA_USERNAME and _PASSWORD")
        options["sasl_mechanism"] = SASL_MECHANISM
        options["sasl_plain_username"] = settings.kafka_username
        options["sasl_plain_password"] = settings.kafka_password
    return options


def _tls(cafile: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=cafile or None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"BOOMERANG_KAFKA_CAFILE={cafile!r} cannot be read: {error}") from None
