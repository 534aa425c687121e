"""One thing that a provider told, in our words, and what several providers have in common. Pure."""

from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from app.model.reasons import BadInput
from app.model.receipt import Outcome, answered
from app.web.chat import reading
from app.web.collector.body import mend, parse
from app.web.collector.refusal import Refused

MOST_FIELDS = 200
MOST_TOLD = 1_000
"""Things that one request may tell."""
DEPTH_LIMIT = 20


class Told(NamedTuple):
    """What became of one message. `outcome` of None is none of our business.

    Which message it is, is said by `token` (ours, repeated), by `provider_id` (theirs), by `message_id` with `customer`, or not at all
    where a customer wrote from `phone` (E.164) of his own accord. `at` is epoch seconds.
    """

    outcome: Outcome | None
    at: float | None = None
    provider_id: str = ""
    token: str = ""
    message_id: str = ""
    customer: str = ""
    channel: str = ""
    phone: str = ""
    detail: str = ""


def form(body: bytes) -> dict[str, str]:
    """The first value of each field of a form. Raises Refused."""
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:  # also what is not UTF-8
        raise Refused(BadInput.WRONG_TYPE, "form") from None
    found: dict[str, str] = {}
    for name, value in fields:
        found.setdefault(name, value)
    return found


def document(body: bytes) -> Any:
    """The body's JSON, or its form. Raises Refused."""
    if body.lstrip()[:1] not in (b"{", b"["):
        return form(body)
    found, lenient = parse(body)
    return mend(found, DEPTH_LIMIT) if lenient else found


def heard(provider_id: str, phone: str, text: str, at: float | None) -> Told:
    """What a customer wrote back: that he wants no more, or an answer. The words themselves are not kept."""
    return Told(answered(text), at, provider_id, phone=phone)


def phone_of(value: Any) -> str:
    """E.164 of a number that a provider writes with or without the plus; "" for anything else."""
    return reading.foreign_phone(reading.ident(value))
