"""Where notifications can be pushed to: subscriptions of browsers and tokens of apps, bounded. Pure.

A device is told by a page or an app with its public key, or by the shop's server. A public key can claim to be anybody: so what it
tells is only spoken to while the customer is the nameless visitor of that device, and never as a user whom it names. A server vouches:
its devices are the user's. A browser's subscription exists only where its user has allowed notifications; that is the consent
to this channel, and the subscription, which nobody can make for another, its proof. A token of an app proves nothing of the kind.
"""

import msgspec

from app.model.event import ANONYMOUS, Event
from tables.customer import Customer, Device, Permission, Profile
from tables.profile import set_consent
from tables.signals import CONSENT_CHANGED

WEBPUSH, FCM = "webpush", "fcm"
CHANNELS = (WEBPUSH, FCM)
DEVICES = 5
"""Of one customer; the oldest goes."""
LONGEST = 1_024
"""Characters of an address."""
ALLOWED, WITHDRAWN = "browser permission", "browser permission withdrawn"
"""Sources of a consent that the browser tells of."""
_NOTHING: tuple[str, ...] = ()


def told(customer: Customer, event: Event, at: float) -> tuple[str, ...]:
    """Take over what `event.push` says: `webpush:ADDRESS`, `fcm:ADDRESS`, or `-webpush:ADDRESS` for one that is gone."""
    channel, _, address = event.push.lstrip("-").partition(":")
    if channel not in CHANNELS or not address or len(address) > LONGEST:
        return _NOTHING
    vouched = event.source == "server"
    if not vouched and event.userId:
        return _NOTHING
    if event.push.startswith("-"):
        return _gone(customer, channel, address, at, vouched=vouched)
    profile = customer.profile = customer.profile or Profile()
    known = next((item for item in profile.devices or () if _same(item, channel, address)), None)
    if known is None:
        profile.devices = _bounded([*(profile.devices or ()), Device(channel, address, at, vouched)])
        if customer.suppressed is not None:
            customer.suppressed.pop(channel, None)  # it was another device that is gone
    else:
        known.at, known.vouched = max(known.at, at), known.vouched or vouched
        if not vouched and known.vouched:
            return _NOTHING
    spoken = WEBPUSH in (customer.consent or {})
    if channel != WEBPUSH or (spoken and (known is not None or not (vouched or customer.aliases is None))):
        return _NOTHING  # told again it says nothing new; and of a user only a server can say that he wants more
    return _consents(customer, Permission(True, at, ALLOWED))


def _gone(customer: Customer, channel: str, address: str, at: float, *, vouched: bool) -> tuple[str, ...]:
    """A device that only its holder can name. Without any left, a browser's consent has ended with it."""
    forget(customer, channel, address)
    devices = customer.profile.devices if customer.profile is not None else None
    known = (customer.consent or {}).get(channel)
    if channel != WEBPUSH or any(item.channel == channel for item in devices or ()):
        return _NOTHING
    if known is None or (known.source != ALLOWED and not vouched):
        return _NOTHING
    return _consents(customer, Permission(False, at, WITHDRAWN))


def _consents(customer: Customer, consent: Permission) -> tuple[str, ...]:
    return (CONSENT_CHANGED,) if set_consent(customer, WEBPUSH, consent) else _NOTHING


def forget(customer: Customer, channel: str, address: str) -> bool:
    """Remove a device that is gone; whether the customer has another one of the channel."""
    profile = customer.profile
    if profile is None or profile.devices is None:
        return False
    profile.devices = [item for item in profile.devices if not _same(item, channel, address)] or None
    return any(item.channel == channel for item in profile.devices or ())


def newest(customer: Customer, key: str) -> dict[str, str]:
    """Channel -> address of the device that was told last, of those that may be spoken to under this key."""
    profile = customer.profile
    if profile is None or profile.devices is None:
        return {}
    nameless = key.startswith(ANONYMOUS)
    found = sorted((item for item in profile.devices if item.vouched or nameless), key=_age)
    return {item.channel: item.address for item in found}


def joined(owner: list[Device] | None, alias: list[Device] | None) -> list[Device] | None:
    """The devices of two keys that turned out to be one customer. What nobody vouched for stays so."""
    found: dict[tuple[str, str], Device] = {}
    for item in sorted((*(owner or ()), *(alias or ())), key=_age):
        known = found.pop((item.channel, item.address), None)
        vouched = item.vouched or (known is not None and known.vouched)
        found[item.channel, item.address] = msgspec.structs.replace(item, vouched=vouched)
    return _bounded(list(found.values())) or None


def _same(item: Device, channel: str, address: str) -> bool:
    return item.channel == channel and item.address.partition(" ")[0] == address.partition(" ")[0]


def _bounded(devices: list[Device]) -> list[Device]:
    """Those that somebody vouched for stay longest."""
    return sorted(devices, key=lambda item: (item.vouched, item.at))[-DEVICES:]


def _age(item: Device) -> float:
    return item.at
