"""The file of sources: what is wrong is said with its place, and no secret is ever repeated."""

import pytest

from app.cli import main
from app.errors import SettingsError
from app.web.chat.sources import load_sources, parse_sources
from tests.app.web.chat.frames import SOURCES

GOOD = "telegram: {shop: {secret: a-good-secret}}"


def test_the_sources_of_all_providers_are_read():
    sources = parse_sources(SOURCES)
    assert {name: sorted(found) for name, found in sources.items()} == {
        "telegram": ["rotating", "shop"],
        "whatsapp": ["main"],
        "vk": ["club"],
        "chatwoot": ["old", "support", "trusting"],
        "retailcrm": ["crm"],
    }


def test_no_file_and_an_empty_one_have_no_sources(tmp_path):
    (tmp_path / "empty.yaml").write_text("")
    assert load_sources("") == {}
    assert load_sources(str(tmp_path / "empty.yaml")) == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("telegram: [", "line 1 is not YAML"),
        ("- telegram", "the file: must be a mapping"),
        ("telegram: 5", "telegram: must be a mapping"),
        ("telegram: {1: {}}", "telegram: must be a mapping of names"),
        ("icq: {shop: {}}", "there is no provider 'icq'; there are: telegram, whatsapp, vk, chatwoot, retailcrm"),
        ("telegram: {Shop: {secret: a-good-secret}}", "the name 'Shop' must be 1 to 40 of a-z"),
        ("telegram: {shop: {}}", "missing required field `secret`"),
        ("telegram: {shop: {secret: short}}", "length >= 8"),
        ("telegram: {shop: {secret: []}}", "length >= 1"),
        ("telegram: {shop: {secret: [a-good-secret, b-good-secret, c-good-secret]}}", "length <= 2"),
        ("telegram: {shop: {secret: a-good-secret, colour: red}}", "unknown field `colour`"),
        ("vk: {club: {group_id: x, secret: a-good-secret, confirmation: c}}", "`$.group_id`"),
        ("chatwoot: {desk: {}}", "needs a `secret`, or `unsigned: true` with a `token`"),
        ("chatwoot: {desk: {unsigned: true}}", "needs a `secret`, or `unsigned: true` with a `token`"),
        ("chatwoot: {desk: {secret: a-good-secret, unsigned: true, token: a-good-token}}", "needs a `secret`"),
        ("chatwoot: {desk: {secret: a-good-secret, token: a-good-token}}", "needs a `secret`"),
        ("chatwoot: {desk: {secret: a-good-secret, url: desk.example}}", "`url` must begin with https://"),
        ("retailcrm: {crm: {url: mg.example, token: a-good-token}}", "`url` must look like https://"),
        ("retailcrm: {crm: {url: 'ftp://mg.example', token: a-good-token}}", "`url` must look like https://"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, told):
    with pytest.raises(SettingsError) as caught:
        parse_sources(text)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "telegram: {shop: {secret: [HUSHHUSH, 5]}}",
        "telegram: {shop: {secret: HUSHHUSH, more: HUSHHUSH}}",
        "chatwoot: {desk: {secret: HUSHHUSH, token: HUSHHUSH}}",
        "whatsapp: {main: {app_secret: HUSHHUSH, verify_token: x}}",
        "telegram:\n  shop:\n    secret: HUSHHUSH: HUSHHUSH\n",
        "telegram: HUSHHUSH",
    ],
)
def test_no_secret_is_repeated(text):
    with pytest.raises(SettingsError) as caught:
        parse_sources(text)
    assert "HUSH" not in str(caught.value)


def test_a_source_shows_no_secret_when_it_is_printed():
    assert "telegram-secret" not in repr(parse_sources(SOURCES))


def test_a_file_that_cannot_be_read_names_the_setting(tmp_path):
    with pytest.raises(SettingsError, match="BOOMERANG_CHATS: .*No such file"):
        load_sources(str(tmp_path / "nowhere.yaml"))
    (tmp_path / "large.yaml").write_text("#" * 300_000)
    with pytest.raises(SettingsError, match="larger than 256 KiB"):
        load_sources(str(tmp_path / "large.yaml"))
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not UTF-8"):
        load_sources(str(tmp_path / "bytes.yaml"))


def test_check_counts_the_sources(tmp_path, monkeypatch, capsys):
    (tmp_path / "chats.yaml").write_text(SOURCES)
    monkeypatch.setenv("BOOMERANG_CHATS", str(tmp_path / "chats.yaml"))
    assert main(["check"]) == 0
    assert "8 chat sources are fine: telegram 2, whatsapp 1, vk 1, chatwoot 3, retailcrm 1" in capsys.readouterr().out


def test_check_says_in_one_line_what_is_wrong(tmp_path, monkeypatch, capsys):
    (tmp_path / "chats.yaml").write_text("telegram: {shop: {secret: short}}")
    monkeypatch.setenv("BOOMERANG_CHATS", str(tmp_path / "chats.yaml"))
    assert main(["check"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("boomerang check: BOOMERANG_CHATS: ")
    assert "telegram.shop" in error
    assert error.count("\n") == 1
