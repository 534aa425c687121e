"""The console's page about where customers stand in scenarios with steps. Counts alone: it names nobody. Pure."""

from collections.abc import Sequence

from app.explain import full_time
from app.under_way import SPEAKING, Journeys, StepCount
from app.web.console.html import Html, el, page
from app.web.console.report import periods, table, tiles

PERIODS = (7, 30, 90, 400)
"""Days that the page offers."""
MOST_STEPS = 200
"""Steps that are shown of a scenario: as many as it may have."""


def journeys(found: Sequence[Journeys], days: int, now: float) -> bytes:
    """The page as of `now`, epoch seconds."""
    words = (
        "How many customers stand at which step of a scenario, and until when they wait, by what was decided in this time. "
        "Whoever began before it, and of whom nothing was decided since, is not counted."
    )
    parts: list[str | None] = [
        el("h1", "Journeys"),
        el("p", words, class_="lead"),
        periods("/journeys", PERIODS, days),
    ]
    if not found:
        parts.append(el("p", "No journey has begun or ended in this time.", class_="empty"))
    parts += [_scenario(one, now) for one in found]
    return page("Journeys", "/journeys", *parts)


def _scenario(one: Journeys, now: float) -> Html:
    left = sum(one.exits.values())
    figures = [("Under way", one.under_way, "customers"), ("Begun", one.begun, "times"), ("Over", left, "times")]
    parts: list[str | None] = [
        el("h2", one.scenario, id=f"journeys-{one.scenario}"),
        tiles((name, f"{number:,}", note) for name, number, note in figures),
    ]
    if one.steps:
        head = ("Step", "Customers", "The next goes on", "The last goes on")
        rows = [_step(step, now) for step in one.steps[:MOST_STEPS]]
        parts.append(el("div", table(head, rows), class_="scroll"))
    if one.exits:
        words = ", ".join(f"{reason.replace('_', ' ')} {count:,}" for reason, count in one.exits.items())
        parts.append(el("p", f"Over by: {words}", class_="lead"))
    parts.append(el("p", el("a", "What it did and brought", href=f"/scenarios#scenario-{one.scenario}"), class_="lead"))
    return el("section", *parts, class_="worth", aria_labelledby=f"journeys-{one.scenario}")


def _step(step: StepCount, now: float) -> tuple[str, str, str, str]:
    if step.step == SPEAKING:
        return "a message is being said", f"{step.customers:,}", "—", "—"
    return step.step, f"{step.customers:,}", _until(step.soonest, now), _until(step.latest, now)


def _until(at: float, now: float) -> str:
    """When, and how long that is from now."""
    minutes = max(0, int(at - now) // 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    span = f"{days} d {hours} h" if days else f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
    return f"{full_time(at)} UTC, in {span}"
