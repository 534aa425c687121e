"""Where a customer can be spoken to: channel -> address. The one place that knows it. Pure.

| channel | address |
|---|---|
| `email` | the profile's e-mail address |
| `sms`, `whatsapp` | the profile's phone number, if it is in E.164 |
| `telegram`, `vk` | `source:id`: the person in the messenger, and the account of the shop that he has written to: no other may write to him |
| `webpush`, `fcm` | the browser or the app that was told of last, of those that may be spoken to (`tables/devices.py`) |
| `webhook` | `customers:key`: the hook of that name, and whom its receiver shall speak to |
"""

from app.model.chat import ChatEvent, client_key
from app.model.event import is_e164
from tables.customer import Customer, Profile
from tables.devices import newest

MESSENGERS = ("telegram", "vk")
"""Messengers in which a bot may write first, to whom has written to it."""
HOOK = "customers"
"""The hook of BOOMERANG_WEBHOOK_HOOKS that gets messages to customers."""
_LONGEST = 64


def addresses_of(customer: Customer, key: str = "") -> dict[str, str]:
    """The customer's addresses; channels without one are left out. `key` is the customer's key."""
    found = {"webhook": f"{HOOK}:{key}"} if key else {}
    found.update(newest(customer, key))
    profile = customer.profile
    if profile is None:
        return found
    if profile.email:
        found["email"] = profile.email
    if profile.phone and is_e164(profile.phone):
        found["sms"] = found["whatsapp"] = profile.phone
    found.update(profile.messengers or {})
    return found


def address_of(customer: Customer, key: str, channel: str) -> str:
    """The customer's address of one channel, as `addresses_of` has it; empty: there is none."""
    profile = customer.profile
    if channel == "webhook":
        return f"{HOOK}:{key}" if key else ""
    if profile is None:
        return ""
    if channel == "email":
        return profile.email
    if channel in ("sms", "whatsapp"):
        return profile.phone if profile.phone and is_e164(profile.phone) else ""
    found = profile.messengers.get(channel, "") if profile.messengers is not None else ""
    return found or newest(customer, key).get(channel, "")


def met(customer: Customer, event: ChatEvent) -> None:
    """Note where the customer has been met in a messenger. A dialog of a business account is not one with our bot."""
    id_ = event.dialog
    if event.provider not in MESSENGERS or not (id_.isascii() and id_.isdigit()):
        return
    address = f"{event.source}:{id_}"
    if event.client != client_key(event.provider, event.source, id_) or len(address) > _LONGEST:
        return
    known = customer.profile.messengers if customer.profile is not None else None
    if known is None or known.get(event.provider) != address:
        customer.profile = customer.profile or Profile()
        customer.profile.messengers = {**(known or {}), event.provider: address}
        if customer.suppressed is not None:
            customer.suppressed.pop(event.provider, None)  # it was another chat that could not be reached
