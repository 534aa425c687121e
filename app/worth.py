"""What each scenario did and brought, from the journal's sums to figures and sentences. Pure."""

from typing import Any, NamedTuple

import msgspec

from agents.worth.intervals import Interval, Sample
from agents.worth.uplift import FEWEST, Reached, Uplift, Verdict, of_goals, of_money

RECIPIENTS, CONTROL = "recipients", "control"
"""Groups: who may be written to, and who gets nothing (the common control group or the scenario's own)."""
LONGEST = 400
"""Days that one look may go back; the journal itself keeps fewer."""


class Sums(NamedTuple):
    """Sums by what stands in the keys."""

    entered: dict[tuple[str, str], tuple[int, int]]
    """(scenario, group): customers, and how often it came due for them."""
    reached: dict[tuple[str, str], tuple[int, int, str]]
    """(scenario, group): customers who reached the goal, how often, and the goal's event (empty: an order)."""
    money: dict[tuple[str, str, str], tuple[float, float]]
    """(scenario, group, currency): what was spent on goals, and the sum of the squares of what each customer spent."""
    messages: dict[tuple[str, str, str], tuple[int, float]]
    """(scenario, channel, `sent`, `opened` or `clicked`): messages, and what they cost."""
    owed: dict[tuple[str, str, str, str], tuple[int, float]]
    """(scenario, channel, currency, `attributed` or `associated`): orders and what they came to, less what was taken back.

    `goal_attributed` and `goal_associated` are goals other than orders.
    """
    held: dict[tuple[str, str], int]
    """(scenario, reason): how often something was held back."""


class ChannelWorth(msgspec.Struct):
    """Messages of a scenario over one channel. `cost` is in the policy's currency."""

    channel: str
    sent: int = 0
    opened: int = 0
    clicked: int = 0
    cost: float = 0.0


class Owed(msgspec.Struct):
    """Orders that are owed to a scenario over one channel, and those that its messages had a part in, in one currency.

    `goals` are those of a scenario whose goal is another event; `revenue` is what those of both kinds that have a value came to.
    """

    channel: str
    currency: str
    orders: int = 0
    revenue: float = 0.0
    associated: int = 0
    goals: int = 0
    goals_associated: int = 0


class GroupWorth(msgspec.Struct):
    """Customers of a group for whom the scenario came due, how often, and those who reached its goal then, how often."""

    customers: int = 0
    times: int = 0
    reached: int = 0
    goals: int = 0


class MoneyWorth(msgspec.Struct):
    """What a customer spent on average in a currency, and by how much recipients spent more."""

    currency: str
    recipients: float
    control: float
    uplift: Uplift
    sentence: str


class ScenarioWorth(msgspec.Struct):
    """One scenario. `goal` is the event that it is for; empty: an order. `fewest` of a group must be known before it is judged."""

    scenario: str
    goal: str
    recipients: GroupWorth
    control: GroupWorth
    uplift: Uplift
    sentence: str
    money: list[MoneyWorth]
    channels: list[ChannelWorth]
    owed: list[Owed]
    held: dict[str, int]
    fewest: int = FEWEST

    @property
    def sent(self) -> int:
        """Messages over all channels."""
        return sum(one.sent for one in self.channels)

    @property
    def cost(self) -> float:
        """What they cost."""
        return sum(one.cost for one in self.channels)


class Said(NamedTuple):
    """How a difference is told: each `number` of what, of how many customers, and what there is more of."""

    scale: float
    one: str
    many: str
    of: str


def worth_of(sums: Sums) -> list[ScenarioWorth]:
    """Every scenario of which anything is known, in order of name."""
    keys = (sums.entered, sums.reached, sums.messages, sums.owed, sums.held)
    return [_scenario(name, sums) for name in sorted({key[0] for part in keys for key in part})]


def _scenario(name: str, sums: Sums) -> ScenarioWorth:
    recipients, control = (_group(name, group, sums) for group in (RECIPIENTS, CONTROL))
    goal = max(sums.reached.get((name, group), (0, 0, ""))[2] for group in (RECIPIENTS, CONTROL))
    uplift = of_goals(Reached(recipients.customers, recipients.reached), Reached(control.customers, control.reached))
    said = Said(1_000.0, "order", "orders", " of 1,000 customers") if not goal else _goals(goal)
    return ScenarioWorth(
        name,
        goal,
        recipients,
        control,
        uplift,
        sentence(uplift, recipients.customers, control.customers, said),
        [_money(name, currency, recipients, control, sums) for currency in _currencies(name, sums)],
        _channels(name, sums),
        _owed(name, sums),
        dict(sorted((key[1], count) for key, count in sums.held.items() if key[0] == name)),
    )


def _goals(event: str) -> Said:
    return Said(1_000.0, f"goal ({event})", f"goals ({event})", " of 1,000 customers")


def _group(name: str, group: str, sums: Sums) -> GroupWorth:
    customers, times = sums.entered.get((name, group), (0, 0))
    reached, goals, _ = sums.reached.get((name, group), (0, 0, ""))
    return GroupWorth(customers, times, min(reached, customers), goals)


def _currencies(name: str, sums: Sums) -> list[str]:
    return sorted({key[2] for key, (total, _) in sums.money.items() if key[0] == name and total})


def _money(name: str, currency: str, recipients: GroupWorth, control: GroupWorth, sums: Sums) -> MoneyWorth:
    samples = [
        Sample(size.customers, *sums.money.get((name, group, currency), (0.0, 0.0)))
        for group, size in ((RECIPIENTS, recipients), (CONTROL, control))
    ]
    uplift = of_money(*samples)
    unit = f" {currency}" if currency else ""
    said = Said(1.0, unit.strip() or "spent", unit.strip() or "spent", " a customer")
    words = sentence(uplift, recipients.customers, control.customers, said, digits=2)
    return MoneyWorth(currency, samples[0].mean, samples[1].mean, uplift, words)


def _channels(name: str, sums: Sums) -> list[ChannelWorth]:
    found: dict[str, ChannelWorth] = {}
    for (scenario, channel, kind), (count, cost) in sorted(sums.messages.items()):
        if scenario == name:
            one = found.setdefault(channel, ChannelWorth(channel))
            setattr(one, kind, count)
            one.cost += cost
    return list(found.values())


_COUNTS = {
    "attributed": "orders",
    "associated": "associated",
    "goal_attributed": "goals",
    "goal_associated": "goals_associated",
}
"""Kind of what is owed -> the field that counts it."""


def _owed(name: str, sums: Sums) -> list[Owed]:
    found: dict[tuple[str, str], Owed] = {}
    for (scenario, channel, currency, kind), (count, revenue) in sorted(sums.owed.items()):
        if scenario != name:
            continue
        one = found.setdefault((channel, currency), Owed(channel, currency))
        setattr(one, _COUNTS[kind], count)
        if not kind.endswith("associated"):
            one.revenue += revenue
    return list(found.values())


def sentence(uplift: Uplift, recipients: int, control: int, said: Said, *, digits: int = 0) -> str:
    """A difference in words, with how sure it is."""
    if uplift.verdict is Verdict.NO_CONTROL:
        return "there is no control group, so nothing tells what would have happened without it"
    if uplift.verdict is Verdict.TOO_FEW:
        return (
            f"too few to tell: {recipients:,} recipient{'' if recipients == 1 else 's'} and {control:,} in the control group,"
            f" and at least {FEWEST} of each are needed"
        )
    value, low, high = (round(part * said.scale, digits) + 0.0 for part in uplift.difference)
    sure = "not sure" if uplift.verdict is Verdict.NOT_SURE else "sure"
    amount = f"{abs(value):,.{digits}f}"
    if said.scale == 1.0:
        words = f"{amount} {said.many} {'more' if value >= 0 else 'less'}{said.of}"
    else:
        words = f"{amount} {'more' if value >= 0 else 'fewer'} {said.one if abs(value) == 1 else said.many}{said.of}"
    return f"{words} ({_between(low, high, said, digits)}), {sure}"


def _between(low: float, high: float, said: Said, digits: int) -> str:
    """`between 3 and 21`; where the limits do not lie on one side, each says on which it does."""
    less = "less" if said.scale == 1.0 else "fewer"
    if low < 0 < high:
        return f"between {-low:,.{digits}f} {less} and {high:,.{digits}f} more"
    ends = sorted((abs(low), abs(high)))
    return f"between {ends[0]:,.{digits}f} and {ends[1]:,.{digits}f}"


def as_data(found: list[ScenarioWorth]) -> list[dict[str, Any]]:
    """For JSON: intervals with their names, shares as fractions of one."""
    data: list[dict[str, Any]] = msgspec.to_builtins(found)
    for one, plain in zip(found, data, strict=True):
        plain["sent"], plain["cost"] = one.sent, one.cost
        plain["uplift"] = _uplift(one.uplift)
        for money, told in zip(one.money, plain["money"], strict=True):
            told["uplift"] = _uplift(money.uplift)
    return data


def _uplift(uplift: Uplift) -> dict[str, Any]:
    judged = uplift.verdict in (Verdict.MORE, Verdict.LESS, Verdict.NOT_SURE)
    limits: Interval | None = uplift.difference if judged else None
    return {"verdict": uplift.verdict.value, **(limits._asdict() if limits is not None else {})}
