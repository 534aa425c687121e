"""Traits of a customer: what a write key may set, and in which shape the core wants it. Pure.

A browser key is public: it may never set an address or a consent. Those fields are removed and counted. A server key
may set `email`, `phone` and `consent = {channel: true | false | {granted, source, wording}}`;
a key may name a topic of the channel too, as `email:news`.
"""

import re
from typing import Any

from app.model.reasons import BadInput
from app.web.collector import fields
from app.web.collector.refusal import Refused
from app.web.phone import phone

PROTECTED = ("email", "phone", "consent")
CONSENTS_LIMIT = 64
CUSTOM_LIMIT = 20
_CHANNEL = re.compile(r"[a-z][a-z0-9_]{0,31}(:[a-z0-9_]{1,32})?")
_LINK = re.compile(r"//|\bwww\.|\.[a-z]{2,}/", re.IGNORECASE)
_NAME = re.compile(r"[a-z0-9_]{1,64}")
_TEXTS = ("name", "first_name", "locale", "timezone", "city", "device_timezone")
_KNOWN = frozenset((*_TEXTS, *PROTECTED, "custom"))


def strip_protected(traits: dict[str, Any]) -> int:
    """Remove in place what a browser key may not set; returns how many fields went."""
    stripped = 0
    for name in PROTECTED:
        if name in traits:
            del traits[name]
            stripped += 1
    return stripped


def profile(traits: dict[str, Any], context: dict[str, Any], at: float, country: str = "") -> dict[str, Any]:
    """Typed traits; a missing locale and the device's time zone come from the context. `at` (epoch seconds) dates a consent, `country` is the shop's.

    Raises Refused: `wrong_type`, or `bad_id` for an address that is none (CR and LF in it included).
    """
    out = {name: value for name, value in traits.items() if value is not None}
    if "firstName" in out:
        out.setdefault("first_name", out.pop("firstName"))
    address = out.get("address")
    if type(address) is dict and type(address.get("city")) is str:
        out.setdefault("city", address["city"])
    if "locale" not in out and type(context.get("locale")) is str:
        out["locale"] = context["locale"]
    out.pop("device_timezone", None)
    out.pop("custom", None)
    if type(context.get("timezone")) is str:
        out["device_timezone"] = context["timezone"]
    for name in _TEXTS:
        if name in out:
            try:
                out[name] = fields.text(out[name], 256)
            except ValueError:
                raise Refused(BadInput.WRONG_TYPE, f"traits.{name}") from None
    for name in (
        "name",
        "first_name",
    ):  # a "name" that is an advertisement would go out in a mail to somebody else's address
        if name in out and _LINK.search(out[name]):
            del out[name]
    _addresses(out, country)
    if "consent" in out:
        out["consent"] = _consents(out["consent"], at)
    return out


def custom(traits: dict[str, Any]) -> dict[str, Any]:
    """The shop's own traits among those of a server key: single values under short names, the first few of them.

    The state of an address is the trait `region`, unless the shop tells that itself.
    """
    found: dict[str, Any] = {}
    address = traits.get("address")
    if type(address) is dict and type(address.get("state")) is str and "region" not in traits:
        traits = {**traits, "region": address["state"]}
    for name, value in traits.items():
        if name in _KNOWN or not _NAME.fullmatch(name) or type(value) not in (str, int, float, bool):
            continue
        if len(found) == CUSTOM_LIMIT:
            break
        try:
            found[name] = (
                value
                if type(value) is bool
                else fields.text(value, 200)
                if type(value) is str
                else fields.number(value)
            )
        except (ValueError, OverflowError):
            continue
    return found


def _addresses(out: dict[str, Any], country: str) -> None:
    for name, convert in (("email", fields.email), ("phone", lambda value: phone(value, country))):
        if out.get(name) == "":
            del out[name]
        elif name in out:
            try:
                out[name] = convert(out[name])
            except TypeError:
                raise Refused(BadInput.WRONG_TYPE, f"traits.{name}") from None
            except ValueError:
                raise Refused(BadInput.BAD_ID, f"traits.{name}") from None


def _consents(raw: Any, at: float) -> dict[str, Any]:
    if type(raw) is not dict or len(raw) > CONSENTS_LIMIT:
        raise Refused(BadInput.WRONG_TYPE, "traits.consent")
    return {channel: _consent(channel, value, at) for channel, value in raw.items()}


def _consent(channel: str, value: Any, at: float) -> dict[str, Any]:
    if not _CHANNEL.fullmatch(channel):
        raise Refused(BadInput.WRONG_TYPE, "traits.consent")
    if type(value) is bool:
        return {"granted": value, "at": at}
    if type(value) is not dict or type(value.get("granted")) is not bool:
        raise Refused(BadInput.WRONG_TYPE, "traits.consent")
    out: dict[str, Any] = {"granted": value["granted"], "at": at}
    for name in ("source", "wording"):
        if value.get(name) is not None:
            try:
                out[name] = fields.text(value[name])
            except ValueError:
                raise Refused(BadInput.WRONG_TYPE, "traits.consent") from None
    return out
