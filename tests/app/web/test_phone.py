"""Phone numbers as they are told, and what becomes of them."""

import pytest

from app.errors import SettingsError
from app.model.event import is_e164
from app.web.chat import reading
from app.web.collector.normalise import Envelope, normalise
from app.web.phone import country_of, phone


@pytest.mark.parametrize(
    ("told", "country", "expected"),
    [
        ("+7 (912) 345-67-89", "", "+79123456789"),
        ("+7\u00a0912\u2011345\u201167\u201189", "", "+79123456789"),
        ("0049 30 901820", "", "+4930901820"),
        ("8 (912) 345-67-89", "", "89123456789"),
        ("8 (912) 345-67-89", "RU", "+79123456789"),
        ("912 345-67-89", "RU", "+79123456789"),
        ("79123456789", "RU", "+79123456789"),
        (89123456789, "RU", "+79123456789"),
        ("030 901820", "DE", "+4930901820"),
        ("1234567", "RU", "1234567"),
        ("+4930901820", "RU", "+4930901820"),
    ],
)
def test_a_number_is_completed_only_where_the_country_is_known(told, country, expected):
    assert phone(told, country) == expected


@pytest.mark.parametrize(
    "told",
    [
        "",
        "+",
        "123456",
        "+0123456789",
        "+7912345678901234",
        "79123456789\r\n",
        "+7912345678\x00",
        "٨٩١٢٣٤٥٦٧٨٩",
        "call me",
        "+7912,+7913",
        "1" * 60,
    ],
)
def test_what_is_no_number_is_refused(told):
    with pytest.raises(ValueError, match="not a phone number"):
        phone(told, "RU")


def test_collector_and_messengers_come_to_the_same_number():
    raw = {"type": "identify", "userId": "u", "traits": {"phone": "8 (912) 345-67-89"}}
    known = normalise(raw, "", Envelope(1_700_000_000.0, "server", country="RU")).value
    assert b'"phone":"+79123456789"' in known
    assert reading.phone("8 (912) 345-67-89", "RU") == "+79123456789"


def test_a_national_number_of_an_unknown_country_is_kept_and_names_nobody():
    raw = {"type": "identify", "userId": "u", "traits": {"phone": "8 (912) 345-67-89"}}
    assert b'"phone":"89123456789"' in normalise(raw, "", Envelope(1_700_000_000.0, "server")).value
    assert not is_e164("89123456789")
    assert reading.phone("8 (912) 345-67-89") == ""
    assert reading.foreign_phone("79123456789") == reading.foreign_phone("+79123456789") == "+79123456789"


def test_a_country_that_nobody_knows_is_told():
    assert country_of("") == "" and country_of("RU") == "RU"
    with pytest.raises(SettingsError, match="ISO code in capitals"):
        country_of("ru")
