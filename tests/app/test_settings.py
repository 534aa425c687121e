"""Settings: read once, refused clearly, handed on to children unchanged."""

from dataclasses import fields
from pathlib import Path

import pytest

from app.commands import settings as command
from app.errors import SettingsError
from app.settings import PREFIX, Settings, child_environment, environment, load


def test_without_variables_everything_has_its_default():
    assert load({}) == Settings()


def test_a_child_gets_exactly_our_settings():
    ours = load(
        {},
        kafka="kafka://127.0.0.1:1",
        grace=0.25,
        respect_dnt=True,
        data=Path("/tmp/x y"),
        time_scale=3600.0,
        collector_port=1234,
        write_keys="browser:a,server:b",
    )
    assert load(environment(ours)) == ours


def test_a_childs_environment_has_none_of_our_own_variables_left(monkeypatch):
    monkeypatch.setenv("BOOMERANG_GRACE", "5")
    monkeypatch.setenv("ELSEWHERE", "kept")
    environ = child_environment(load({}, collector_port=1))
    assert environ["ELSEWHERE"] == "kept"
    assert {name for name in environ if name.startswith(PREFIX)} == {"BOOMERANG_COLLECTOR_PORT"}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PARTITIONS", "0", "between 1 and 512"),
        ("PARTITIONS", "many", "is not a whole number"),
        ("GRACE", "-1", "between 0 and 3600"),
        ("COLLECTOR_PORT", "65536", "between 0 and 65535"),
        ("WORKER_PORT", "-1", "between 0 and 65535"),
        ("TIME", "later", "live or stream"),
        ("TIME_SCALE", "0", "above 0"),
        ("KAFKA", "127.0.0.1:9092", "must begin with kafka://"),
        ("REDIS", "http://x", "must begin with redis://"),
        ("SMTP", "mail.example:25", "must begin with smtp://"),
        ("WRITE_KEYS", "abc", "browser:KEY,server:KEY"),
        ("WRITE_KEYS", "guest:abc", "browser:KEY,server:KEY"),
        ("RESPECT_DNT", "perhaps", "is not yes or no"),
        ("KAFKA_SECURITY", "TLS", "KAFKA_SECURITY must be"),
        ("TRACE_SHARE", "1.5", "between 0 and 1"),
        ("OTLP", "host:4318", "must begin with https:// or http://"),
        ("OTLP_HEADERS", "secret", "name=value"),
        ("TOKEN_EXPIRIES", "whatsapp", "whatsapp=2027-01-31"),
        ("TOKEN_EXPIRIES", "whatsapp=soon", "whatsapp=2027-01-31"),
        ("TOKEN_EXPIRIES", "what is it=2027-01-31", "whatsapp=2027-01-31"),
        ("COLLECTER_PORT", "8000", "is not a setting"),
    ],
)
def test_an_unusable_value_is_named_with_what_is_allowed(name, value, says):
    with pytest.raises(SettingsError, match=says):
        load({PREFIX + name: value})


def test_the_listing_shows_every_setting_and_no_secret():
    text = "\n".join(
        command.listing(load({}, kafka_password="tell-nobody", smtp="smtp://u:tell-nobody@relay:25", grace=3.0))
    )
    assert "tell-nobody" not in text
    assert "* BOOMERANG_GRACE=3" in text
    for item in fields(Settings):
        assert command.variable(item) + "=" in text
