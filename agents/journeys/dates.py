"""Journeys that begin on a date of the customer: a birthday, the day on which bonuses lapse. Pure.

Nothing is armed: when such a date comes next is worked out from the trait, so that a scenario which is added later, or a date that
changes, is right at once. What is kept is the last one that was decided about.
"""

from calendar import isleap
from datetime import date, datetime, time, timedelta
from math import inf

from agents.allowed import Basis
from agents.decision import Decision
from agents.journeys import replenish
from agents.journeys.enter import enter
from agents.journeys.moment import Moment
from agents.scenarios.evaluate import stops
from agents.scenarios.language import Scenario
from agents.scenarios.program import Dated
from agents.zones import zone_of
from tables.customer import Customer
from tables.engagement import ENTERED, Engagement, day_of

SAME_DAY = 22 * 3600.0
"""Seconds after a date during which it is not there again, though the customer has travelled west; the next day's is later on any clock."""


def wake_of(basis: Basis, customer: Customer) -> float | None:
    """The customer's earliest deadline, epoch seconds, or None."""
    soonest = basis.scenarios.wake_of(customer)
    if basis.scenarios.replenishing and customer.engagement is not None and customer.engagement.bought is not None:
        needed = replenish.wake_of(basis, customer)
        soonest = soonest if needed == inf else needed if soonest is None else min(needed, soonest)
    if not basis.scenarios.dated or customer.engagement is None or customer.engagement.traits is None:
        return soonest
    dates = (next_date(basis, customer, scenario) for scenario in basis.scenarios.dated)
    first = min((at for at in dates if at is not None), default=inf)
    return soonest if first == inf else first if soonest is None else min(first, soonest)


def told_dates(basis: Basis, decision: Decision) -> None:
    """Wake up when the first of the customer's dates comes."""
    engagement = decision.customer.engagement
    if engagement is not None and engagement.traits is not None:
        dates = (next_date(basis, decision.customer, scenario) for scenario in basis.scenarios.dated)
        first = min((at for at in dates if at is not None), default=inf)
        if first < (decision.wake_at or inf):
            decision.wake_at = first


def next_date(basis: Basis, customer: Customer, scenario: Scenario) -> float | None:
    """When the customer's date of the scenario comes next (epoch seconds); None: he has none, or it is past."""
    dated = scenario.program.dated if scenario.program is not None else None
    engagement = customer.engagement
    day = None if dated is None or engagement is None else day_of((engagement.traits or {}).get(dated.trait))
    if dated is None or engagement is None or day is None:
        return None
    decided = (engagement.dated or {}).get(scenario.id)
    after = max(0.0 if decided is None else decided + SAME_DAY, engagement.traits_at)
    return _next(basis, customer, dated, day, after)


def _next(basis: Basis, customer: Customer, dated: Dated, day: date, after: float) -> float | None:
    zone, clock = zone_of(customer, basis.policy), time(dated.minutes // 60, dated.minutes % 60)
    days = [day]
    if dated.yearly:
        year = datetime.fromtimestamp(after, zone).year
        days = [_in_year(day, one) for one in range(year - 3, year + 5)]  # an offset may reach over nearly three years
    found = (datetime.combine(one + timedelta(dated.days), clock, zone).timestamp() for one in days)
    return min((at for at in found if at > after), default=None)


def _in_year(day: date, year: int) -> date:
    """The day in another year; the 29th of February is the 28th in most."""
    return date(year, 2, 28) if (day.month, day.day) == (2, 29) and not isleap(year) else day.replace(year=year)


def decide_dates(basis: Basis, decision: Decision, key: str, now: float, until: float) -> None:
    """Begin the journeys of customer `key` whose date came at or before `until`, as of `now` (both epoch seconds)."""
    customer = decision.customer
    for scenario in basis.scenarios.dated:
        due = next_date(basis, customer, scenario)
        if due is None or due > until:
            continue
        assert customer.engagement is not None, "dates stand there"
        _decided(customer.engagement, scenario.id, due, len(basis.scenarios.dated))
        moment = Moment(basis, decision, key, due, now, f"date:{due:.0f}")
        held = stops(scenario, customer, due, now)
        if held is not None:
            moment.tell(held.reason, scenario.id, held.detail, due=due)
        else:
            enter(moment, scenario, "")


def _decided(engagement: Engagement, scenario: str, due: float, most: int) -> None:
    kept = {name: at for name, at in (engagement.dated or {}).items() if name != scenario}
    engagement.dated = dict(
        [*kept.items(), (scenario, due)][-max(ENTERED, most) :]
    )  # one that is forgotten would come again at once
