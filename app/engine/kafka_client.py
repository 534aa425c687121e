"""How every aiokafka client of ours reaches the broker: addresses and security, from settings alone."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Iterator
from typing import Any

from app.errors import SettingsError
from app.settings import Settings

ANSWER_MS = 5_000
"""How long a broker may take to say why it does not let us in."""


def bootstrap_servers(settings: Settings) -> list[str]:
    """Addresses of `kafka://host:port[,host:port]` as `host:port`. Raises SettingsError when there is none."""
    servers = [item.strip().removeprefix("kafka://").rstrip("/") for item in settings.kafka.split(",") if item.strip()]
    if not servers or not all(servers):
        raise SettingsError(
            "no Kafka: set BOOMERANG_KAFKA=kafka://host:port, or use `boomerang up`, which runs its own"
        )
    return [server if ":" in server else f"{server}:9092" for server in servers]


async def reachable(settings: Settings, patience: float) -> bool:
    """Whether any of the addresses takes a connection within `patience` seconds. They are asked side by side."""
    asked = [asyncio.create_task(_takes(server, patience)) for server in bootstrap_servers(settings)]
    try:
        for one in asyncio.as_completed(asked):
            if await one:
                return True
    finally:
        for task in asked:
            task.cancel()
    return False


async def _takes(server: str, patience: float) -> bool:
    host, _, port = server.rpartition(":")
    try:
        async with asyncio.timeout(patience):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


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
        options["sasl_mechanism"] = settings.kafka_mechanism
        options["sasl_plain_username"] = settings.kafka_username
        options["sasl_plain_password"] = settings.kafka_password
    return options


def _tls(cafile: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=cafile or None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"BOOMERANG_KAFKA_CAFILE={cafile!r} cannot be read: {error}") from None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep aiokafka's own words about a failed connection back: we say in one line what to do."""
    logger = logging.getLogger("aiokafka")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


async def refusal(settings: Settings) -> str:
    """Why the first broker does not let us in, and which setting to look at; empty: it does. aiokafka itself keeps the reason."""
    from aiokafka import errors
    from aiokafka.conn import create_conn
    from aiokafka.protocol.metadata import MetadataRequest

    options = client_options(settings)
    host, _, port = options.pop("bootstrap_servers")[0].rpartition(":")
    try:
        connection = await create_conn(host, int(port), client_id="boomerang", request_timeout_ms=ANSWER_MS, **options)
        try:
            await connection.send(MetadataRequest([]))  # without a password one gets as far as this
        finally:
            connection.close()
    except errors.UnsupportedSaslMechanismError as error:
        return f"it does not know the mechanism ({_first(error)}); check BOOMERANG_KAFKA_MECHANISM"
    except (errors.SaslAuthenticationFailed, errors.AuthenticationFailedError):
        return "it does not accept our name or password; check BOOMERANG_KAFKA_USERNAME and BOOMERANG_KAFKA_PASSWORD"
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not trusted ({error.verify_message}); check BOOMERANG_KAFKA_CAFILE and the name in BOOMERANG_KAFKA"
    except (ssl.SSLError, errors.KafkaError, ConnectionResetError, EOFError, TimeoutError) as error:
        return f"it speaks another protocol there ({_first(error)}); check BOOMERANG_KAFKA_SECURITY and the port in BOOMERANG_KAFKA"
    except OSError as error:
        return f"it cannot be reached ({error.strerror or _first(error)}); check BOOMERANG_KAFKA"
    return ""


def _first(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
