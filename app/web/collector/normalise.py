"""One event as a client sent it -> one record of `clickstream`, or the reason why not. Pure: `received` is an argument.

What goes where:
- `event` gets its canonical name; `properties` are typed for the core (app/web/collector/commerce.py), the rest is kept as it is;
- `traits` stay only in an `identify` (with `context.traits` below them, and the context's locale and time zone): elsewhere
  a `traits` is somebody else's (a group's) or a copy, and the core would take it for the customer's. A group's go to
  `groupTraits`; other events keep theirs in `context.traits`;
- a browser's push subscription and an app's token go to `push` (app/web/collector/devices.py);
- what the visitor's device is, a kind and a system, goes to `deviceKind` (app/web/collector/appliance.py);
- `context` is kept without `ip`, user agent and page address are cut to a bound; `integrations` are dropped;
- a page's address becomes the `url` of a viewed product that has none;
- `messageId` of 100 characters and more (or with control characters) is hashed; a missing one is derived from the event,
  so that a retry has the same. An event without any time of its own is told from its twin by the minute of its arrival.
"""

from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import msgspec
import orjson

from app.model.event import ANONYMOUS, RESERVED_PREFIXES
from app.model.reasons import BadInput
from app.web.collector import appliance, commerce, devices, eventtime, fields, profile
from app.web.collector.context import trim
from app.web.collector.links import OwnHosts
from app.web.collector.refusal import Refused

TYPES = frozenset(("track", "page", "screen", "identify", "alias", "group"))
EVENT_LIMIT = 32 * 1024
DEPTH_LIMIT = 20
NAME_LIMIT = 256
MESSAGE_ID_LIMIT = 100
_DROPPED_CONTEXT = frozenset(("ip", "userAgentData"))
_BRACKET = ord("[")
_LONG = 1_500
"""Bytes of an event from which on its context is worth a look for long texts."""


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """What the request says about all its events. Times are epoch seconds.

    `source` is the kind of the write key, `anonymous_id` the header's, `clamp` is off in stream time. `hosts`: where a
    browser's products may point to; None: anywhere. `country`: the shop's, for phone numbers without one. `agent`: the
    name of the browser that asks, where the key is a browser's. `browser` (whether the key is a public one) and `arrived` (the moment
    as events carry it) follow from the others.
    """

    received: float
    source: str
    sent_at: float | None = None
    anonymous_id: str = ""
    context: dict[str, Any] = {}
    historical: bool = False
    clamp: bool = True
    hosts: OwnHosts | None = None
    country: str = ""
    agent: str = ""
    browser: bool = False
    arrived: str = ""

    def __post_init__(self) -> None:
        """Say once what holds for all events."""
        msgspec.structs.force_setattr(self, "browser", self.source == "browser")
        msgspec.structs.force_setattr(self, "arrived", datetime.fromtimestamp(self.received, UTC).isoformat())


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """A record of `clickstream`. `name` is for counting only; `stripped` counts what the key may not set."""

    customer: str
    message_id: str
    name: str
    value: bytes
    stripped: int


def normalise(raw: Any, kind: str, envelope: Envelope) -> Accepted:
    """The record of one event. `kind` is its type as the path says, or empty: as the event says. Raises Refused."""
    if type(raw) is not dict:
        raise Refused(BadInput.WRONG_TYPE, "event")
    kind = kind or _kind(raw)
    user, anonymous = _ids(raw, kind, envelope)
    at, historical = _time(raw, envelope)
    out: dict[str, Any] = {
        "type": kind,
        "messageId": _message_id(raw, envelope),
        "timestamp": datetime.fromtimestamp(at, UTC),
        "receivedAt": envelope.arrived,
        "source": envelope.source,
    }
    if user:
        out["userId"] = user
    if anonymous:
        out["anonymousId"] = anonymous
    if historical or envelope.historical:
        out["historical"] = True
    context = _context(raw, envelope)
    stripped = _FILL[kind](out, raw, context, envelope, at)
    name = out.get("event", kind)
    if "device" in context or name in _OF_DEVICES:
        told = devices.push_of(name, out.get("properties", {}), context)
        if told:
            out["push"] = told
    kind_of_device = appliance.device_of(context, envelope.agent)
    if kind_of_device:
        out["deviceKind"] = kind_of_device
    if context:
        out["context"] = context
    value = _written(out, context)
    return Accepted(user or ANONYMOUS + anonymous, out["messageId"], name, value, stripped)


def _written(out: dict[str, Any], context: dict[str, Any]) -> bytes:
    """The event's JSON. Depth and lengths are looked at only where brackets or size say that it is worth it."""
    try:
        value = orjson.dumps(out)
        if len(value) > _LONG and trim(context):
            value = orjson.dumps(out)
    except (TypeError, ValueError):
        raise Refused(BadInput.TOO_DEEP if deeper_than(out, DEPTH_LIMIT) else BadInput.WRONG_TYPE, "event") from None
    brackets = value.count(b"{") + (value.count(b"[") if _BRACKET in value else 0)
    if brackets > DEPTH_LIMIT and deeper_than(out, DEPTH_LIMIT):
        raise Refused(BadInput.TOO_DEEP, "event")
    return value


def deeper_than(value: Any, limit: int) -> bool:
    """Whether containers are nested deeper than `limit` levels."""
    if limit == 0:
        return True
    for item in value.values() if type(value) is dict else value:
        kind = type(item)
        if (kind is dict or kind is list) and deeper_than(item, limit - 1):
            return True
    return False


def _kind(raw: dict[str, Any]) -> str:
    kind = raw.get("type")
    if type(kind) is not str or kind not in TYPES:
        raise Refused(BadInput.UNKNOWN_TYPE, "type")
    return kind


def _identifier(raw: dict[str, Any], name: str) -> str:
    value = raw.get(name)
    if value is None:
        return ""
    try:
        return fields.somebody(value)
    except ValueError:
        raise Refused(BadInput.BAD_ID, name) from None


def _ids(raw: dict[str, Any], kind: str, envelope: Envelope) -> tuple[str, str]:
    user = _identifier(raw, "userId") if "userId" in raw else ""
    if user and user.startswith(RESERVED_PREFIXES):
        raise Refused(BadInput.BAD_ID, "userId")
    anonymous = _identifier(raw, "anonymousId") or envelope.anonymous_id
    if not user and not anonymous:
        raise Refused(BadInput.MISSING_ID, "userId" if kind == "alias" else "anonymousId")
    return user, anonymous


def _time(raw: dict[str, Any], envelope: Envelope) -> tuple[float, bool]:
    try:
        at = eventtime.epoch(raw.get("originalTimestamp"))
        if at is None:
            at = eventtime.epoch(raw.get("timestamp"))
        sent_at = envelope.sent_at
        if sent_at is None and "sentAt" in raw:
            sent_at = eventtime.lenient(raw["sentAt"])
        return eventtime.corrected(at, sent_at, envelope.received, clamp=envelope.clamp)
    except (ValueError, OverflowError):
        raise Refused(BadInput.BAD_TIMESTAMP, "timestamp") from None


def _message_id(raw: dict[str, Any], envelope: Envelope) -> str:
    given = raw.get("messageId")
    if type(given) is int:
        given = str(given)
    if type(given) is str and given:
        if len(given) < MESSAGE_ID_LIMIT and given.isprintable():
            return given
        return "h-" + blake2b(given.encode(), digest_size=16).hexdigest()
    content = {name: value for name, value in raw.items() if name not in ("sentAt", "messageId")}
    if not (content.get("timestamp") or content.get("originalTimestamp")):
        content["minute"] = int(envelope.received // 60)
    try:
        told = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError):
        raise Refused(
            BadInput.TOO_DEEP if deeper_than(content, DEPTH_LIMIT) else BadInput.WRONG_TYPE, "event"
        ) from None
    return "d-" + blake2b(told, digest_size=16).hexdigest()


def _object(raw: dict[str, Any], name: str) -> dict[str, Any]:
    value = raw.get(name)
    if value is None:
        return {}
    if type(value) is not dict:
        raise Refused(BadInput.WRONG_TYPE, name)
    return value


def _context(raw: dict[str, Any], envelope: Envelope) -> dict[str, Any]:
    context = envelope.context | _object(raw, "context")
    if not _DROPPED_CONTEXT.isdisjoint(context):
        for name in _DROPPED_CONTEXT:
            context.pop(name, None)
    return context


def _keep_traits(context: dict[str, Any], traits: dict[str, Any], envelope: Envelope) -> int:
    """`context.traits` of an event that is no identify: kept, without what the key may not set."""
    told = context.get("traits")
    if not traits and not told:
        return 0
    merged = {**(told if type(told) is dict else {}), **traits}
    context["traits"] = merged
    return profile.strip_protected(merged) if envelope.browser else 0


def _fill_behaviour(
    out: dict[str, Any], raw: dict[str, Any], context: dict[str, Any], envelope: Envelope, _at: float
) -> int:
    name = ""
    if out["type"] == "track":
        name = out["event"] = _event_name(raw)
    else:
        for label in ("name", "category"):
            if type(raw.get(label)) is str:
                out[label] = fields.text(raw[label])
    properties, untyped = commerce.properties(_object(raw, "properties"), strict=name in commerce.SPEC)
    if name == "Product Viewed" and "url" not in properties:
        page = context.get("page")
        if type(page) is dict and type(page.get("url")) is str and page["url"].startswith(("https://", "http://")):
            properties["url"] = page["url"]
    stripped = 0
    if envelope.browser and envelope.hosts is not None and name in commerce.SPEC:
        stripped = envelope.hosts.keep_own(properties)
    if properties:
        out["properties"] = properties
    if untyped:
        out["untyped"] = untyped
    if "traits" in raw or "traits" in context:
        stripped += _keep_traits(context, _object(raw, "traits"), envelope)
    return stripped


def _event_name(raw: dict[str, Any]) -> str:
    name = raw.get("event")
    if type(name) is str and name in commerce.SPEC:
        return name
    if name is None or name == "":
        raise Refused(BadInput.MISSING_EVENT, "event")
    try:
        name = fields.text(name, NAME_LIMIT).strip()
    except ValueError:
        raise Refused(BadInput.WRONG_TYPE, "event") from None
    if not name:
        raise Refused(BadInput.MISSING_EVENT, "event")
    return commerce.canonical(name)


def _fill_identify(
    out: dict[str, Any], raw: dict[str, Any], context: dict[str, Any], envelope: Envelope, at: float
) -> int:
    told = context.pop("traits", None)
    traits = {**(told if type(told) is dict else {}), **_object(raw, "traits")}
    stripped = profile.strip_protected(traits) if envelope.browser else 0
    own = {} if envelope.browser else profile.custom(traits)
    traits = profile.profile(traits, context, at, envelope.country)
    if own:
        traits["custom"] = own
    if traits:
        out["traits"] = traits
    return stripped


def _fill_alias(
    out: dict[str, Any], raw: dict[str, Any], context: dict[str, Any], envelope: Envelope, _at: float
) -> int:
    previous = _identifier(raw, "previousId")
    if not previous:
        raise Refused(BadInput.MISSING_ID, "previousId")
    if previous.startswith(RESERVED_PREFIXES):
        raise Refused(BadInput.BAD_ID, "previousId")
    out["previousId"] = previous
    return _keep_traits(context, {}, envelope)


def _fill_group(
    out: dict[str, Any], raw: dict[str, Any], context: dict[str, Any], envelope: Envelope, _at: float
) -> int:
    group = _identifier(raw, "groupId")
    if not group:
        raise Refused(BadInput.MISSING_ID, "groupId")
    out["groupId"] = group
    traits = dict(_object(raw, "traits"))
    stripped = profile.strip_protected(traits) if envelope.browser else 0
    if traits:
        out["groupTraits"] = traits
    return stripped + _keep_traits(context, {}, envelope)


_OF_DEVICES = (devices.SUBSCRIBED, devices.UNSUBSCRIBED)
_FILL = {
    "track": _fill_behaviour,
    "page": _fill_behaviour,
    "screen": _fill_behaviour,
    "identify": _fill_identify,
    "alias": _fill_alias,
    "group": _fill_group,
}
