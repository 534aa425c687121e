"""What happens when a customer's timer comes up: the highest priority that nothing holds back fires. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from agents.decision import Decision
from agents.scenarios.evaluate import Refusal, ShelfOf, content, due_at, refusal
from agents.scenarios.index import ScenarioIndex
from agents.scenarios.language import Scenario
from app.model.journal import JournalLine
from app.model.reasons import Reason
from app.model.trigger import Content, Stage, Trigger, trigger_id
from tables import profile
from tables.customer import OPEN_TRIGGERS, Armed, Customer, Open


class Ready(NamedTuple):
    """An armed scenario whose time has come."""

    scenario: Scenario
    instance: Armed
    due: float


def decide_due(
    index: ScenarioIndex, locale: str, key: str, customer: Customer, now: float, shelf: ShelfOf, until: float
) -> Decision:
    """Look at everything of customer `key` that is due at or before `until`; each fires or is refused, as of `now`.

    Both are epoch seconds. Only up to `until` is it known what has happened: a deadline between the two (the timer was an
    older one, postponed since) has neither had its grace nor passed the lag gate, and comes up again by itself.
    """
    decision = Decision(customer)
    ready: list[Ready] = []
    waiting: list[Armed] = []
    soonest: float | None = None
    for instance in customer.armed or ():
        scenario = index.by_id.get(instance.scenario)
        if scenario is None:
            decision.reasons.append(JournalLine(now, key, Reason.SCENARIO_GONE, instance.scenario))
            continue
        due = due_at(scenario, instance, customer)
        if due > until:
            waiting.append(instance)
            soonest = due if soonest is None else min(due, soonest)
        else:
            ready.append(Ready(scenario, instance, due))
    customer.armed = waiting or None
    winners: dict[str, str] = {}
    if len(ready) > 1:
        ready.sort(key=lambda item: (-item.scenario.priority, item.scenario.id))
    for item in ready:
        family = item.scenario.family
        answer = _answer(item, customer, now, shelf, winners.get(family), index.families[family])
        if isinstance(answer, Refusal):
            decision.reasons.append(_refused(item, key, now, answer))
        else:
            winners[family] = item.scenario.id
            _fire(decision, item, key, now, answer, locale)
    decision.wake_at = soonest
    return decision


def _answer(
    item: Ready, customer: Customer, now: float, shelf: ShelfOf, winner: str | None, family: Sequence[str]
) -> Refusal | Content:
    """What to show, or why not to fire. `winner`: the scenario of the family that fires just now."""
    if winner is not None:
        return Refusal(Reason.OUTRANKED, {"by": winner})
    held = refusal(item.scenario, customer, item.due, now, family)
    if held is not None:
        return held
    shown = content(item.scenario, customer, now, shelf)
    return shown if shown is not None else Refusal(Reason.CONDITION, {"nothing_left_of": item.scenario.show.items})


def _refused(item: Ready, key: str, now: float, why: Refusal) -> JournalLine:
    anchor = item.instance.anchor
    return JournalLine(now, key, why.reason, item.scenario.id, "", anchor, "", item.due, why.detail)


def _fire(decision: Decision, item: Ready, key: str, now: float, shown: Content, locale: str) -> None:
    scenario, instance, customer = item.scenario, item.instance, decision.customer
    trigger = Trigger(
        trigger_id=trigger_id(scenario.id, scenario.version, key, instance.anchor, 0),
        scenario=scenario.id,
        version=scenario.version,
        customer=key,
        anchor=instance.anchor,
        due=item.due,
        fired_at=now,
        expires_at=now + scenario.send_within,
        cascade=[Stage(stage.channel, stage.template) for stage in scenario.cascade],
        addresses={scenario.channel: profile.address(customer, scenario.channel)},
        content=shown,
        locale=_locale_of(customer, locale),
        timezone=customer.profile.timezone if customer.profile is not None else "",
        marketing=scenario.marketing,
        cap=scenario.cap,
        consent_at=_consent_at(customer, scenario.channel),
    )
    decision.fired.append(trigger)
    decision.reasons.append(_fired(trigger, scenario.channel))
    opened = Open(trigger.trigger_id, scenario.id, scenario.channel, now, instance.at, trigger.expires_at)
    opened.marketing = scenario.marketing
    customer.open = [*(customer.open or ()), opened][-OPEN_TRIGGERS:]
    customer.fired = {**(customer.fired or {}), scenario.id: now}


def _fired(trigger: Trigger, channel: str) -> JournalLine:
    detail: dict[str, str | float | int] = {"items": len(trigger.content.items), "value": trigger.content.value}
    return JournalLine(
        trigger.fired_at,
        trigger.customer,
        Reason.FIRED,
        trigger.scenario,
        trigger.trigger_id,
        trigger.anchor,
        channel,
        trigger.due,
        detail,
    )


def _consent_at(customer: Customer, channel: str) -> dict[str, float]:
    """Channel -> since when there is consent: a later one outdates an earlier suppression."""
    consent = (customer.consent or {}).get(channel)
    return {channel: consent.at} if consent is not None and consent.granted else {}


def _locale_of(customer: Customer, default: str) -> str:
    said = customer.profile.locale.lower() if customer.profile is not None else ""
    return "ru" if said.startswith("ru") else "en" if said.startswith("en") else default
