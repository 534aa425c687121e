"""Whether the policy lets a stage be spoken that could be: control group, frequency caps, quiet hours, in this order. Pure."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from agents.dialogs.staff import Staff
from agents.scenarios.evaluate import Refusal
from agents.scenarios.index import ScenarioIndex
from agents.scenarios.language import Scenario
from agents.scenarios.reach import Reached
from agents.zones import zone_of
from app.model.policy import Cap, Policy, Quiet, one_per
from app.model.reasons import Reason
from app.model.team import Team
from channels.caps import Said, full
from channels.control import is_member
from channels.quiet import quiet_until
from tables.customer import Customer

NOBODY = Staff(Team())


class Basis(NamedTuple):
    """What decisions stand on. `locale` is the language of messages to customers whose own is not known."""

    scenarios: ScenarioIndex
    policy: Policy
    locale: str
    noted: bool = False
    """Whether some segment asks for traits or tags, which steps set."""
    staff: Staff = NOBODY
    """Whom alerts of journeys go to."""


class Withheld(NamedTuple):
    """The customer is in a control group: of the scenario's name, or the common one (`all`)."""

    group: str


class Held(NamedTuple):
    """Quiet hours: to be decided again at `until`, epoch seconds."""

    until: float


def allow(
    basis: Basis, scenario: Scenario, key: str, customer: Customer, found: Reached, now: float
) -> Reached | Refusal | Withheld | Held:
    """The stage with those of its channels that may be used at `now`, or why none may."""
    if not scenario.marketing:
        return found
    policy = basis.policy
    if policy.control or scenario.control:
        group = group_of(policy, scenario, key)
        if group:
            return Withheld(group)
    if customer.sends or customer.open:
        free = _within_caps(basis, scenario, customer, found, now)
        if isinstance(free, Refusal):
            return free
        found = free
    quiet = policy.quiet
    if quiet is None or scenario.quiet == "ignore" or (quiet.channels and quiet.channels.isdisjoint(found.addresses)):
        return found
    return _awake(policy, quiet, scenario, customer, found, now)


def group_of(policy: Policy, scenario: Scenario, key: str) -> str:
    """The control group that keeps the customer from hearing of the scenario; empty: none does."""
    if not scenario.marketing:
        return ""
    if is_member("", key, policy.control):
        return "all"
    return scenario.id if is_member(scenario.id, key, scenario.control) else ""


def _within_caps(basis: Basis, scenario: Scenario, customer: Customer, found: Reached, now: float) -> Refusal | Reached:
    """The stage without the channels over which the customer has heard enough; where that is all of them, why.

    Who has heard enough is not spoken to over a dearer channel instead: nothing follows.
    """
    zone, said = zone_of(customer, basis.policy), list(_said(basis.scenarios, customer))
    free: dict[str, str] = {}
    first: Refusal | None = None
    for channel, address in found.addresses.items():
        caps = caps_of(basis.policy, scenario, channel)
        used = full(caps, said, Said(channel, scenario.topic, scenario.id, now, scenario.marketing), zone)
        if used is None:
            free[channel] = address
        elif first is None:
            first = Refusal(Reason.CAP, {"channel": channel, "last_sent": used.last, **_described(used.cap)})
    return found.over(free) if first is None or free else first


def caps_of(policy: Policy, scenario: Scenario, channel: str) -> tuple[Cap, ...]:
    """The caps that a message of the scenario obeys: its own, where it has one, in place of the policy's."""
    if scenario.cap is None:
        return policy.caps
    return (one_per(scenario.cap, channel),) if scenario.cap else ()


def windows_of(policy: Policy, scenario: Scenario, channels: Iterable[str]) -> dict[str, float]:
    """Those of the channels that have a window of one message, with it: the sender asks for it again by the address."""
    found: dict[str, float] = {}
    if scenario.marketing:
        own, windows = scenario.cap, policy.windows
        for channel in channels:
            if window := windows.get(channel, 0.0) if own is None else own:
                found[channel] = window
    return found


def _said(index: ScenarioIndex, customer: Customer) -> Iterator[Said]:
    """What was said, and what is with the sender."""
    for sent in customer.sends or ():
        yield Said(sent.channel, index.topic_of(sent.scenario), sent.scenario, sent.at, sent.marketing)
    for item in customer.open or ():
        if item.is_with_sender:
            yield Said(
                item.channel, index.topic_of(item.scenario, item.version), item.scenario, item.at, item.marketing
            )


def _described(cap: Cap) -> dict[str, float | int]:
    span: dict[str, float | int] = {"days": cap.days} if cap.days else {"window": cap.seconds}
    return span | ({"most": cap.most} if cap.most > 1 else {})


def _awake(
    policy: Policy, quiet: Quiet, scenario: Scenario, customer: Customer, found: Reached, now: float
) -> Refusal | Reached | Held:
    """The stage without the channels that are silent at this hour; where that is all of them, until when, or why it is dropped."""
    zone = zone_of(customer, policy)
    until = {channel: quiet_until(quiet, channel, zone, now) for channel in found.addresses}
    awake = {channel: found.addresses[channel] for channel, opens in until.items() if not opens}
    if awake:
        return found.over(awake)
    opens = min(until.values())
    if scenario.quiet == "drop" or (quiet.drop and not scenario.quiet):
        return Refusal(Reason.QUIET_HOURS, {"channel": next(iter(until)), "until": opens})
    return Held(opens)
