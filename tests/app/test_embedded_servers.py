"""The embedded Kafka and Valkey, with the real programs."""

import socket

import pytest

from app.embedded import kafka as kafka_node


@pytest.mark.broker
def test_the_broker_of_the_run_answers(kafka):
    port = int(kafka.rsplit(":", 1)[1])
    assert kafka_node.is_ready(port)


def test_a_port_where_nobody_listens_is_not_a_ready_broker(free_port):
    assert not kafka_node.is_ready(free_port())


def test_a_server_that_says_nothing_is_not_a_ready_broker(monkeypatch):
    monkeypatch.setattr(kafka_node, "ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not kafka_node.is_ready(silent.getsockname()[1])


def test_valkey_keeps_a_value(valkey_url):
    import redis

    with redis.Redis.from_url(valkey_url) as client:
        client.set("a", "1")
        assert client.get("a") == b"1"
