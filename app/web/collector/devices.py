"""Devices for push notifications in events: a browser's subscription, an app's token. Pure.

`Push Subscribed` and `Push Unsubscribed` carry a subscription as `JSON.stringify` writes it (`endpoint`, `keys`), or flat; Segment's
mobile libraries carry `context.device.token` with every event.
"""

import re
from typing import Any
from urllib.parse import urlsplit

from app.model.reasons import BadInput
from app.web.collector.refusal import Refused

SUBSCRIBED, UNSUBSCRIBED = "Push Subscribed", "Push Unsubscribed"
LONGEST_ENDPOINT = 800
_ENDPOINT = re.compile(r"https://[\x21-\x7e]+", re.ASCII)
_PUBLIC = re.compile(r"[A-Za-z0-9_-]{87}=?", re.ASCII)
_SECRET = re.compile(r"[A-Za-z0-9_-]{22}(?:==)?", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9_:%.\-]{20,1000}", re.ASCII)
_KEYS = ("endpoint", "keys", "p256dh", "auth", "subscription", "expirationTime")


def push_of(name: str, properties: dict[str, Any], context: dict[str, Any]) -> str:
    """What the event says of a device, for `Event.push`; "" if nothing. Takes a subscription out of the properties.

    Raises Refused for a subscription that can be none.
    """
    if name in (SUBSCRIBED, UNSUBSCRIBED):
        return _subscription(name, properties)
    device = context.get("device")
    token = device.get("token") if type(device) is dict else None
    return f"fcm:{token}" if type(token) is str and _TOKEN.fullmatch(token) else ""


def _subscription(name: str, properties: dict[str, Any]) -> str:
    told = properties.get("subscription")
    told = told if type(told) is dict else properties
    keys = told.get("keys")
    keys = keys if type(keys) is dict else told
    endpoint, public, secret = told.get("endpoint"), keys.get("p256dh"), keys.get("auth")
    for key in _KEYS:
        properties.pop(key, None)
    if not _is_endpoint(endpoint):
        raise Refused(BadInput.BAD_ID, "properties.endpoint")
    if name == UNSUBSCRIBED:
        return f"-webpush:{endpoint}"
    if not (type(public) is str and _PUBLIC.fullmatch(public) and type(secret) is str and _SECRET.fullmatch(secret)):
        raise Refused(BadInput.BAD_ID, "properties.keys")
    return f"webpush:{endpoint} {public.rstrip('=')} {secret.rstrip('=')}"


def _is_endpoint(value: Any) -> bool:
    if type(value) is not str or len(value) > LONGEST_ENDPOINT or not _ENDPOINT.fullmatch(value):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return bool(parts.hostname) and parts.username is None and not parts.fragment
