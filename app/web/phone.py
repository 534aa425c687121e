"""Phone numbers, normalised in one place for all that comes in: E.164, or as it was told where the country is unknown. Pure.

A number is complete with its plus (or `00`). A national one is completed when the shop's country is known
(`BOOMERANG_PHONE_COUNTRY`); else it stays what it is: digits that nobody can be written to at. The only user of `phonenumbers`, which
is loaded when the first national number has to be completed.
"""

import re
from typing import Any

from app.errors import SettingsError

_NOISE = re.compile("[ ()./\u00a0\u2010-\u2015\u202f\ufeff-]")
_TOLD = re.compile(r"\+?\d{7,15}", re.ASCII)
_E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_LONGEST = 40


def phone(value: Any, country: str = "") -> str:
    """A phone number in E.164; a national one of an unknown country as its digits. `country` is an ISO code, such as `RU`.

    Blanks, brackets, dots, slashes and dashes are removed. Raises ValueError for what is no number, TypeError for what is no text.
    """
    if type(value) is int:
        value = str(value)
    if type(value) is not str:
        raise TypeError("not a text")
    told = _NOISE.sub("", value) if len(value) <= _LONGEST else ""
    if told.startswith("00"):
        told = "+" + told[2:]
    if not _TOLD.fullmatch(told) or (told.startswith("+") and not _E164.fullmatch(told)):
        raise ValueError("not a phone number")
    return told if told.startswith("+") or not country else _completed(told, country) or told


def country_of(setting: str) -> str:
    """The country of BOOMERANG_PHONE_COUNTRY, "" for none. Raises SettingsError for one whose numbers nobody knows."""
    if not setting:
        return ""
    import phonenumbers

    if setting not in phonenumbers.SUPPORTED_REGIONS:
        raise SettingsError(
            f"BOOMERANG_PHONE_COUNTRY={setting!r} is not a country; write its ISO code in capitals, such as RU"
        )
    return setting


def _completed(told: str, country: str) -> str:
    """A national number in E.164, or "" where the country has no such number."""
    import phonenumbers

    try:
        number = phonenumbers.parse(told, country)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(number):
        return ""
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
