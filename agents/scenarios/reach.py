"""Over which channels a stage of a cascade may be spoken, and why not over the others. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from agents.addresses import address_of
from agents.scenarios.evaluate import Refusal
from agents.scenarios.language import Scenario, Stage
from app.model.reasons import Reason
from tables.customer import Customer
from tables.profile import permission


class Reached(msgspec.Struct, frozen=True, gc=False):
    """A stage that can be spoken. `addresses` (channel -> address) are in the order in which its channels are to be tried."""

    number: int
    stage: Stage
    addresses: dict[str, str]

    def over(self, addresses: dict[str, str]) -> "Reached":
        """The same over these of its channels."""
        return Reached(self.number, self.stage, addresses)


class Skipped(NamedTuple):
    """A stage that cannot be spoken, and why."""

    number: int
    why: Refusal


Reach = tuple[Reached | None, tuple[Skipped, ...]]
"""The first stage that can be spoken, if there is one, and those before it."""


def reach(scenario: Scenario, key: str, customer: Customer, start: int = 0) -> Reach:
    """The first stage from number `start` on whose channel has an address, a consent and no suppression."""
    skipped: tuple[Skipped, ...] = ()
    for number, stage in enumerate(scenario.cascade[start:], start):
        usable: dict[str, str] = {}
        first: Refusal | None = None
        for channel in stage.channels:
            address = address_of(customer, key, channel)
            why = _unreachable(scenario, channel, customer, address)
            if why is None:
                usable[channel] = address
            else:
                first = first or why
        if usable:
            return Reached(number, stage, usable), skipped
        assert first is not None, "a stage has a channel"
        skipped = (*skipped, Skipped(number, first))
    return None, skipped


def _unreachable(scenario: Scenario, channel: str, customer: Customer, address: str) -> Refusal | None:
    """Why nothing may be said over the channel, at this address of the customer."""
    if not address:
        return Refusal(Reason.NO_ADDRESS, {"channel": channel})
    if scenario.marketing:
        consent = permission(customer, channel, scenario.topic)
        if consent is None or not consent.granted:
            since = {} if consent is None else {"refused_at": consent.at}
            return Refusal(
                Reason.NO_CONSENT, {"channel": channel, **since, **_asked(customer, channel, scenario.topic)}
            )
    reason = customer.suppressed.get(channel) if customer.suppressed is not None else None
    return Refusal(Reason.SUPPRESSED, {"channel": channel, "by": reason}) if reason else None


def _asked(customer: Customer, channel: str, topic: str) -> dict[str, float]:
    """Since when a consent waits for its confirmation, and when it lapsed without one."""
    known = (customer.profile.asked if customer.profile is not None else None) or {}
    item = (known.get(f"{channel}:{topic}") if topic else None) or known.get(channel)
    if item is None:
        return {}
    return {"asked_at": item.at, "lapsed_at": item.until} if item.over else {"asked_at": item.at}


def consents_at(customer: Customer, channels: Iterable[str], topic: str) -> dict[str, float]:
    """Channel -> since when there is consent: a later one outdates an earlier suppression, if it says where it was given.

    A back end that repeats `true` every night knows nothing of an unsubscription that was imported.
    """
    found: dict[str, float] = {}
    for channel in channels:
        word = permission(customer, channel, topic)
        if word is not None and word.granted and word.source:
            found[channel] = word.at
    return found
