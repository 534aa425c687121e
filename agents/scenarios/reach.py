"""Over which channels a stage of a cascade may be spoken, and why not over the others. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from agents.addresses import addresses_of
from agents.scenarios.evaluate import Refusal
from agents.scenarios.language import Scenario, Stage
from app.model.reasons import Reason
from tables.customer import Customer
from tables.profile import permission


class Reached(NamedTuple):
    """A stage that can be spoken. `addresses` (channel -> address) are in the order in which its channels are to be tried."""

    number: int
    stage: Stage
    addresses: Mapping[str, str]


class Skipped(NamedTuple):
    """A stage that cannot be spoken, and why."""

    number: int
    why: Refusal


class Reach(NamedTuple):
    """The first stage that can be spoken, if there is one, and those before it."""

    found: Reached | None
    skipped: tuple[Skipped, ...]


def reach(scenario: Scenario, key: str, customer: Customer, start: int = 0) -> Reach:
    """The first stage from number `start` on whose channel has an address, a consent and no suppression."""
    known = addresses_of(customer, key)
    skipped: list[Skipped] = []
    for number in range(start, len(scenario.cascade)):
        stage = scenario.cascade[number]
        addresses, why = _usable(scenario, stage.channels, customer, known)
        if addresses:
            return Reach(Reached(number, stage, addresses), tuple(skipped))
        assert why is not None, "a stage has a channel"
        skipped.append(Skipped(number, why))
    return Reach(None, tuple(skipped))


def _usable(
    scenario: Scenario, channels: Iterable[str], customer: Customer, known: Mapping[str, str]
) -> tuple[dict[str, str], Refusal | None]:
    """The usable ones of `channels` with their addresses, and why the first of the others is not."""
    usable: dict[str, str] = {}
    first: Refusal | None = None
    for channel in channels:
        why = _unreachable(scenario, channel, customer, known)
        if why is None:
            usable[channel] = known[channel]
        else:
            first = first or why
    return usable, first


def _unreachable(scenario: Scenario, channel: str, customer: Customer, known: Mapping[str, str]) -> Refusal | None:
    if not known.get(channel):
        return Refusal(Reason.NO_ADDRESS, {"channel": channel})
    consent = permission(customer, channel, scenario.topic)
    if scenario.marketing and (consent is None or not consent.granted):
        since = {} if consent is None else {"refused_at": consent.at}
        return Refusal(Reason.NO_CONSENT, {"channel": channel, **since, **_asked(customer, channel, scenario.topic)})
    reason = (customer.suppressed or {}).get(channel)
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
