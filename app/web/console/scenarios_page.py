"""The console's page about what scenarios did and brought. Pure."""

from collections.abc import Sequence

from agents.worth.uplift import Verdict
from app.web.console.html import Html, el, page
from app.web.console.report import periods, table, tiles
from app.worth import GroupWorth, ScenarioWorth

PERIODS = (1, 7, 30, 90)
"""Days that the page offers."""
_SURE = {Verdict.MORE: "sent", Verdict.LESS: "failed"}


def scenarios(found: Sequence[ScenarioWorth], days: int, currency: str) -> bytes:
    """The page. `currency` is the policy's, in which messages are paid."""
    parts: list[str | None] = [
        el("h1", "Scenarios"),
        el(
            "p",
            "What each scenario did and brought. An order, or another goal, is owed to the last message that touched its customer; what messages "
            "really changed, only the control group tells.",
            class_="lead",
        ),
        periods("/scenarios", PERIODS, days),
    ]
    if not found:
        parts.append(el("p", "No scenario has come due in this time.", class_="empty"))
    parts += [_scenario(one, currency) for one in found]
    return page("Scenarios", "/scenarios", *parts)


def _scenario(one: ScenarioWorth, currency: str) -> Html:
    figures = [
        ("Fired", f"{one.recipients.times:,}", _customers(one.recipients)),
        ("Sent", f"{one.sent:,}", f"opened {sum(c.opened for c in one.channels):,}, clicked {sum(c.clicked for c in one.channels):,}"),
        *_owed(one),
        ("Cost", _amount(one.cost), currency or "no prices in the policy" if not one.cost else currency),
    ]  # fmt: skip
    tone = _SURE.get(one.uplift.verdict, "wait")
    parts: list[str | None] = [
        el("h2", one.scenario, id=f"scenario-{one.scenario}"),
        tiles(figures),
        el("p", "Uplift: ", one.sentence, ".", class_=f"standing tone-{tone}", data_verdict=one.uplift.verdict.value),
        *(el("p", "Money: ", money.sentence, ".", class_="standing") for money in one.money),
        el("div", _groups(one), class_="scroll"),
    ]  # fmt: skip
    if one.channels:
        parts.append(el("div", _channels(one), class_="scroll"))
    if one.held:
        words = ", ".join(f"{reason.replace('_', ' ')} {count:,}" for reason, count in sorted(one.held.items(), key=lambda item: (-item[1], item[0])))  # fmt: skip
        parts.append(el("p", f"Held back: {words}", class_="lead"))
    return el("section", *parts, class_="worth", aria_labelledby=f"scenario-{one.scenario}")


def _owed(one: ScenarioWorth) -> list[tuple[str, str, str]]:
    """What is owed to it: orders, and where it has another goal those first."""
    tiles = [("Orders owed to it", f"{sum(owed.orders for owed in one.owed):,}", _revenue(one))]
    goals, part = sum(owed.goals for owed in one.owed), sum(owed.goals_associated for owed in one.owed)
    if one.goal or goals:
        words = f"a part in {part:,} more" if part else one.goal
        tiles.insert(0, ("Goals owed to it", f"{goals:,}", words))
    return tiles


def _customers(group: GroupWorth) -> str:
    return f"for {group.customers:,} customer{'' if group.customers == 1 else 's'}"


def _revenue(one: ScenarioWorth) -> str:
    totals: dict[str, float] = {}
    for owed in one.owed:
        totals[owed.currency] = totals.get(owed.currency, 0.0) + owed.revenue
    associated = sum(owed.associated for owed in one.owed)
    words = [f"{_amount(total)} {currency}".strip() for currency, total in sorted(totals.items()) if total]
    return ", ".join([*words, *([f"a part in {associated:,} more"] if associated else [])]) or "no revenue"


def _amount(value: float) -> str:
    return f"{value:,.2f}".removesuffix(".00")


def _groups(one: ScenarioWorth) -> Html:
    goal = "Ordered" if not one.goal else one.goal
    rows = [
        (name, f"{group.customers:,}", f"{group.reached:,}", f"{group.reached / group.customers:.1%}" if group.customers else "—")
        for name, group in (("Recipients", one.recipients), ("Control group", one.control))
    ]  # fmt: skip
    return table(("Group", "Customers", goal, "Share"), rows)


def _channels(one: ScenarioWorth) -> Html:
    goals = ["Goals owed"] if one.goal or any(item.goals for item in one.owed) else []
    head = ("Channel", "Sent", "Opened", "Clicked", "Cost", "Orders owed", *goals, "Revenue")
    rows = []
    for channel in one.channels:
        owed = [item for item in one.owed if item.channel == channel.channel]
        revenue = ", ".join(f"{_amount(item.revenue)} {item.currency}".strip() for item in owed if item.revenue) or "—"
        numbers = (channel.sent, channel.opened, channel.clicked)
        brought = [f"{sum(item.orders for item in owed):,}", *(f"{sum(item.goals for item in owed):,}" for _ in goals)]
        rows.append((channel.channel, *(f"{n:,}" for n in numbers), _amount(channel.cost), *brought, revenue))
    return table(head, rows)
