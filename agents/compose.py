"""Writes down what was decided to say: the trigger of a stage and its line in the journal. Pure."""

import msgspec

from agents.allowed import Basis, windows_of
from agents.free_delivery import told_to
from agents.journeys.clock import slots_of
from agents.scenarios.language import Scenario
from agents.scenarios.reach import Reached, Skipped, consents_at
from agents.zones import zone_of
from app.model.journal import JournalLine
from app.model.reasons import Reason
from app.model.trigger import Content, Stage, Trigger
from tables.customer import Customer


class Saying(msgspec.Struct, frozen=True, gc=False):
    """What a stage says, and since when it was due. Times are epoch seconds."""

    scenario: Scenario
    reached: Reached
    shown: Content
    due: float
    now: float
    anchor: str = ""
    step: int = 0
    """That of a journey that says it."""


def trigger_of(basis: Basis, saying: Saying, trigger_id: str, key: str, customer: Customer) -> Trigger:
    """The trigger that the sender gets."""
    scenario, reached, now, policy = saying.scenario, saying.reached, saying.now, basis.policy
    if scenario.slots is not None:
        saying.shown.slots = slots_of(scenario.slots, zone_of(customer, policy), now)
        saying.shown.booking = scenario.slots.book
    if policy.delivery:
        saying.shown.delivery = told_to(policy, customer, saying.shown)
    hushed = scenario.marketing and policy.quiet is not None and scenario.quiet != "ignore"
    return Trigger(
        trigger_id=trigger_id,
        scenario=scenario.id,
        version=scenario.version,
        customer=key,
        anchor=saying.anchor,
        due=saying.due,
        fired_at=now,
        expires_at=now + scenario.send_within,
        cascade=[Stage(channel, reached.stage.template) for channel in reached.addresses],
        addresses=reached.addresses,
        content=saying.shown,
        step=saying.step,
        locale=locale_of(customer, basis.locale),
        timezone=zone_of(customer, policy).key,
        marketing=scenario.marketing,
        caps=windows_of(policy, scenario, reached.addresses),
        consent_at=consents_at(customer, reached.addresses, scenario.topic),
        stage=reached.number,
        quiet=(scenario.quiet or ("drop" if policy.quiet is not None and policy.quiet.drop else "hold"))
        if hushed
        else "",
    )


def spoken(trigger: Trigger, reason: Reason) -> JournalLine:
    """The line about a stage that goes to the sender."""
    detail: dict[str, str | float | int] = {"items": len(trigger.content.items), "value": trigger.content.value}
    if trigger.stage:
        detail["stage"] = trigger.stage + 1
    return JournalLine(
        trigger.fired_at,
        trigger.customer,
        reason,
        trigger.scenario,
        trigger.trigger_id,
        trigger.anchor,
        trigger.cascade[0].channel,
        trigger.due,
        detail,
    )


def skipped(one: Skipped, scenario: str, trigger_id: str, key: str, now: float, due: float) -> JournalLine:
    """The line about a stage that cannot be spoken: people count stages from one."""
    detail = {"stage": one.number + 1, **one.why.detail}
    return JournalLine(now, key, one.why.reason, scenario, trigger_id, due=due, detail=detail)


def locale_of(customer: Customer, default: str) -> str:
    """The language of a message to the customer."""
    if customer.profile is None or not customer.profile.locale:
        return default
    said = customer.profile.locale.lower()
    return "ru" if said.startswith("ru") else "en" if said.startswith("en") else default
