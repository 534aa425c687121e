"""How clients reach the broker."""

import asyncio
import socket
import ssl
from contextlib import ExitStack

import pytest

from app.engine.kafka_client import bootstrap_servers, client_options, reachable
from app.errors import SettingsError
from app.settings import load


def test_addresses_are_those_of_the_setting() -> None:
    settings = load({}, kafka="kafka://a:1,b:2,c")
    assert bootstrap_servers(settings) == ["a:1", "b:2", "c:9092"]
    assert client_options(settings) == {"bootstrap_servers": ["a:1", "b:2", "c:9092"]}


def test_without_kafka_the_error_says_what_to_do() -> None:
    with pytest.raises(SettingsError, match="BOOMERANG_KAFKA"):
        client_options(load({}))


def test_tls_is_always_verified() -> None:
    context = client_options(load({}, kafka="kafka://a:1", kafka_security="SSL"))["ssl_context"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_sasl_needs_a_name_and_a_password() -> None:
    with pytest.raises(SettingsError, match="USERNAME"):
        client_options(load({}, kafka="kafka://a:1", kafka_security="SASL_PLAINTEXT"))
    settings = load({}, kafka="kafka://a:1", kafka_security="SASL_SSL", kafka_username="u", kafka_password="p")
    options = client_options(settings)
    assert (options["security_protocol"], options["sasl_mechanism"]) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("u", "p")
    assert options["ssl_context"].check_hostname


def test_a_missing_ca_file_is_told() -> None:
    with pytest.raises(SettingsError, match="KAFKA_CAFILE"):
        client_options(load({}, kafka="kafka://a:1", kafka_security="SSL", kafka_cafile="/nowhere.pem"))


def test_a_password_is_never_sent_in_clear() -> None:
    with pytest.raises(SettingsError, match="SASL_SSL"):
        load({}, kafka="kafka://a:1", kafka_security="SASL_PLAINTEXT", kafka_mechanism="PLAIN")
    options = client_options(
        load(
            {},
            kafka="kafka://a:1",
            kafka_security="SASL_SSL",
            kafka_mechanism="PLAIN",
            kafka_username="u",
            kafka_password="p",
        )
    )
    assert options["sasl_mechanism"] == "PLAIN"


def _full(stack: ExitStack) -> int:
    """The port of somebody who takes no connection and refuses none."""
    busy = stack.enter_context(socket.socket())
    busy.bind(("127.0.0.1", 0))
    busy.listen(0)
    for _ in range(4):
        waiting = stack.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(busy.getsockname())
    return int(busy.getsockname()[1])


async def test_one_broker_that_does_not_answer_does_not_hide_another_that_does() -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    with ExitStack() as stack:
        hung, there = _full(stack), server.sockets[0].getsockname()[1]
        async with server, asyncio.timeout(30):
            assert await reachable(load({}, kafka=f"kafka://127.0.0.1:{hung},127.0.0.1:{there}"), 3600.0)
            assert not await reachable(load({}, kafka=f"kafka://127.0.0.1:{hung}"), 0.05)


async def test_a_broker_that_refuses_connections_is_not_reachable(free_port) -> None:
    assert not await reachable(load({}, kafka=f"kafka://127.0.0.1:{free_port()}"), 30.0)
