"""The secret: made once, read by all."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import SettingsError
from app.model.receipt import Spoken
from app.settings import load
from app.tokens import (
    RECEIPT_LIFE,
    BadToken,
    Unsubscribe,
    load_secret,
    read_receipt_token,
    receipt_token,
    unsubscribe_token,
)


def test_the_secret_is_made_once_and_only_for_us(tmp_path: Path) -> None:
    settings = load({}, data=tmp_path / "new")
    secret = load_secret(settings)
    assert len(secret) >= 32
    assert load_secret(settings) == secret
    assert (tmp_path / "new" / "secret").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["secret"]


def test_the_setting_wins(tmp_path: Path) -> None:
    assert load_secret(load({}, data=tmp_path, secret="x" * 20)) == "x" * 20
    assert list(tmp_path.iterdir()) == []


def test_processes_that_start_together_agree_on_one_secret(tmp_path: Path) -> None:
    program = "import sys;from pathlib import Path;from app.settings import load;from app.tokens import load_secret;sys.stdin.readline();print(load_secret(load({},data=Path(sys.argv[1]))))"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    told = {child.communicate(timeout=30)[0] for child in children}
    assert len(told) == 1
    assert len(told.pop().strip()) >= 32


@pytest.mark.parametrize("content", ["short", "", "ключ" * 20])
def test_an_unusable_secret_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "secret").write_text(content)
    with pytest.raises(SettingsError, match="secret"):
        load_secret(load({}, data=tmp_path))
    with pytest.raises(SettingsError, match="BOOMERANG_SECRET"):
        load_secret(load({}, data=tmp_path, secret="short"))


@pytest.mark.parametrize("letter", ["a", "я", "漢", "🛋"])
def test_the_longest_link_fits_a_line_of_a_mail(letter):
    from app.web.collector.fields import ID_LIMIT, identifier

    user = identifier(letter * (ID_LIMIT // len(letter.encode())))
    what = Unsubscribe(user, "email", "x" * 64 + "@" + "y" * 180 + ".example", "0" * 32 + ".0")
    link = "https://events.some-long-name.shop.example/u/" + unsubscribe_token("s" * 43, what, 1_700_000_000.0)
    assert len(f"List-Unsubscribe: <{link}>") < 998


SECRET = "s" * 43
SPOKEN = Spoken("42", "sms", "0" * 32 + ".1", "abandoned_cart")
NOW = 1_700_000_000.0


def test_a_receipts_token_says_of_which_message_it_is_for_as_long_as_the_ledger_knows_that():
    token = receipt_token(SECRET, SPOKEN, NOW)
    assert token == receipt_token(SECRET, SPOKEN, NOW + 60.0), "a retry has the same one"
    assert read_receipt_token(SECRET, token, NOW) == SPOKEN
    assert read_receipt_token(SECRET, token, NOW + RECEIPT_LIFE) == SPOKEN
    for late in (NOW + RECEIPT_LIFE + 2 * 86_400.0, NOW - 2 * 86_400.0):
        with pytest.raises(BadToken):
            read_receipt_token(SECRET, token, late)


@pytest.mark.parametrize(
    "forged",
    [
        "",
        ".",
        "x" * 5_000,
        receipt_token("another secret of the same length", SPOKEN, NOW),
        receipt_token(SECRET, SPOKEN, NOW)[:-1],
        receipt_token(SECRET, SPOKEN._replace(customer=""), NOW),
        receipt_token(SECRET, SPOKEN._replace(channel=7), NOW),  # type: ignore[arg-type]
        unsubscribe_token(SECRET, Unsubscribe("42", "email", "a@b.example", "m.0"), NOW),
    ],
)
def test_a_token_that_is_not_a_receipts_is_none(forged):
    with pytest.raises(BadToken):
        read_receipt_token(SECRET, forged, NOW)
