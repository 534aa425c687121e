"""Profile and consent, as `identify` and receipts change them. Pure.

Only a server may set an address or a consent; the collector strips them from browser events, and this is the second lock.
"""

from app.model.event import Event
from tables.customer import Customer, Permission, Profile
from tables.signals import CONSENT_CHANGED

TEXT = 200
CHANNELS = 16
SPOKEN = ("unsubscribed", "complained")
"""Sources of a refusal that came from the customer."""
_PUBLIC = ("name", "first_name", "locale", "timezone", "city")
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
    if trusted and newest and customer.suppressed is not None and traits.email not in (None, profile.email):
        customer.suppressed.pop("email", None)  # it was the old address that bounced
    for name in (*_TRUSTED, *_PUBLIC) if trusted else _PUBLIC:
        value = getattr(traits, name)
        if value is not None and (newest or not getattr(profile, name)):
            setattr(profile, name, value[:TEXT])
    if not trusted or not traits.consent:
        return ()
    changed = False
    for channel, consent in list(traits.consent.items())[:CHANNELS]:
        if len(channel) > TEXT:
            continue
        changed |= set_consent(
            customer,
            channel,
            Permission(consent.granted, consent.at or at, consent.source[:TEXT], consent.wording[:TEXT]),
        )
    return (CONSENT_CHANGED,) if changed else ()


def set_consent(customer: Customer, channel: str, consent: Permission) -> bool:
    """Note a consent unless another one outweighs it. Whether anything changed."""
    known = (customer.consent or {}).get(channel)
    if known is not None and not outweighs(consent, known):
        return False
    if known is None and customer.consent is not None and len(customer.consent) >= CHANNELS:
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
