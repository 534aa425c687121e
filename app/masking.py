"""Addresses of people, made unreadable where a text goes to logs and screens."""

import re

_EMAIL = re.compile(r"[^\s@<>\"'(),;:=]{1,64}@(?=[^\s@<>\"'(),;:]{1,255})")
_PHONE = re.compile(r"\+\d{5,13}(?=\d\d)")


def mask(text: str) -> str:
    """The text with e-mail addresses and telephone numbers made unreadable: j***@shop.example, +***42."""
    return _PHONE.sub("+***", _EMAIL.sub(lambda found: f"{found[0][0]}***@", text))
