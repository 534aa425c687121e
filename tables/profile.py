"""Profile and consent, as `identify` and receipts change them. Pure.

Only a server may set an address or a consent; the collector strips them from browser events, and this is the second lock.
"""

from app.model.event import Event
from tables.customer import Customer, Permission, Profile
from tables.engagement import Engagement, Trait, set_traits
from tables.signals import CONSENT_CHANGED

TEXT = 200
NAME = 64
CUSTOM = 20
"""Traits of the shop's own that one event may tell."""
CHANNELS = 16
CONSENTS = 64
"""Channels, and channels with a topic, whose consent is known."""
SPOKEN = ("unsubscribed", "complained")
"""Sources of a refusal that came from the customer."""
_PUBLIC = ("name", "first_name", "locale", "timezone", "city", "device_timezone")
_TRUSTED = ("email", "phone")


def identified(customer: Customer, event: Event, at: float) -> tuple[str, ...]:
    """Take over the traits of an event that happened at `at`. One that is older than what is known only fills gaps."""
    traits = event.traits
    if traits is None:
        return ()
    profile = customer.profile
    if profile is None:
        profile = customer.profile = Profile()
    trusted = event.source == "server"
    newest, profile.at = at >= profile.at, max(at, profile.at)
    if trusted and newest and customer.suppressed is not None:  # it was the old address that bounced
        if traits.email not in (None, profile.email):
            customer.suppressed.pop("email", None)
        if traits.phone not in (None, profile.phone):
            for channel in ("sms", "whatsapp"):
                customer.suppressed.pop(channel, None)
    for name in (*_TRUSTED, *_PUBLIC) if trusted else _PUBLIC:
        value = getattr(traits, name)
        if value is not None and (newest or not getattr(profile, name)):
            setattr(profile, name, value[:TEXT])
    if trusted and traits.custom:
        if customer.engagement is None:
            customer.engagement = Engagement()
        fresh = {name[:NAME]: _bounded(value) for name, value in list(traits.custom.items())[:CUSTOM]}
        set_traits(customer.engagement, fresh, at)
    if not trusted or not traits.consent:
        return ()
    changed = False
    for channel, consent in list(traits.consent.items())[:CONSENTS]:
        if len(channel) > TEXT:
            continue
        changed |= set_consent(
            customer,
            channel,
            Permission(consent.granted, consent.at or at, consent.source[:TEXT], consent.wording[:TEXT]),
        )
    return (CONSENT_CHANGED,) if changed else ()


def _bounded(value: Trait) -> Trait:
    return value[:TEXT] if isinstance(value, str) else value


def set_consent(customer: Customer, channel: str, consent: Permission) -> bool:
    """Note a consent unless another one outweighs it. Whether anything changed."""
    known = (customer.consent or {}).get(channel)
    if known is not None and not outweighs(consent, known):
        return False
    if known is None and customer.consent is not None and len(customer.consent) >= CONSENTS:
        return False
    customer.consent = {**(customer.consent or {}), channel: consent}
    return known is None or known.granted != consent.granted


def outweighs(consent: Permission, known: Permission) -> bool:
    """Whether `consent` takes the place of `known`: the newer word counts, at the same moment the refusal.

    A refusal that the customer spoke (an unsubscribe, a complaint) is only lifted by a consent that says where it was given: a back
    end that repeats `true` every night knows nothing of it. The two come over different topics, so this holds whichever is read first.
    """
    if consent.granted and not consent.source and known.source in SPOKEN:
        return False
    if known.granted and not known.source and consent.source in SPOKEN:
        return True
    return (consent.at, not consent.granted) >= (known.at, not known.granted)


def permission(customer: Customer, channel: str, topic: str = "") -> Permission | None:
    """The word that counts for a message over `channel` about `topic`; None: nobody has said one.

    That about the topic goes before that about the whole channel; unless the whole channel was refused later, or by the customer himself.
    """
    known = customer.consent
    if known is None:
        return None
    whole = known.get(channel)
    of_topic = known.get(f"{channel}:{topic}") if topic else None
    if of_topic is None:
        return whole
    if whole is not None and not whole.granted and not outweighs(of_topic, whole):
        return whole
    return of_topic
