"""What scenarios need to know of what customers do: what none of them reads is not kept, and costs next to nothing. Pure."""

from collections.abc import Iterable, Iterator

from agents.conditions.touched import CATEGORIES, SEARCHES, SEEN, SEEN_WITH, VIEWS
from agents.conditions.verdict import Condition
from agents.scenarios.language import BEGUN, Scenario, Show
from agents.scenarios.program import Note, Say, Tell
from tables.signals import CATEGORY_VIEWED, PRODUCT_VIEWED, SEARCHED

_VIEW, _SEARCH = "Product Viewed", "Products Searched"
_LISTENS = {_VIEW: {_VIEW, PRODUCT_VIEWED, CATEGORY_VIEWED}, _SEARCH: {_SEARCH, SEARCHED}}
_READS = {_VIEW: {VIEWS, CATEGORIES}, _SEARCH: {SEARCHES}}
_SHOWS = {_VIEW: {"views", "category", "search"}, _SEARCH: {"search"}}


def unread(scenarios: Iterable[Scenario]) -> frozenset[str]:
    """Names of the events whose traces in a customer's state no scenario of the site listens to, asks for or shows.

    Carts, orders and profiles are always kept: they hold messages back. Alerts about dialogs show views and searches, so where
    there are scenarios of dialogs everything is read (`Behaviour` sees to it).
    """
    known = tuple(scenarios)
    return frozenset(name for name in _LISTENS if not any(_reads(scenario, name) for scenario in known))


def asks_presence(scenarios: Iterable[Scenario]) -> bool:
    """Whether it matters to some scenario when exactly a customer was last there, whatever he did then.

    So it is where one waits from leaving, counts backwards from it what it shows, or asks for it in a condition; and where a family
    has several scenarios, of which one silence gets one.
    """
    known = tuple(scenarios)
    ids: dict[str, set[str]] = {}
    for scenario in known:
        ids.setdefault(scenario.family, set()).add(scenario.id)
    return any(len(family) > 1 for family in ids.values()) or any(map(_asks_presence, known))


def _asks_presence(scenario: Scenario) -> bool:
    if scenario.leaving or any(SEEN in condition.reads for condition in conditions_of(scenario)):
        return True
    if scenario.show is not None and scenario.show.items not in ("cart", BEGUN):
        return True
    steps = scenario.program.steps if scenario.program is not None else ()
    return any(isinstance(step, Tell) or (isinstance(step, Say) and _asks_presence(step.scenario)) for step in steps)


def asks_wishes(scenarios: Iterable[Scenario]) -> bool:
    """Whether some scenario asks for what is on wish lists."""
    programs = (scenario.program for scenario in scenarios)
    return any(one is not None and one.change is not None and "wished" in one.change.of for one in programs)


def shows_of(scenarios: Iterable[Scenario]) -> Iterator[Show]:
    """What scenarios show, in messages of their own and of their steps."""
    for scenario in scenarios:
        steps = scenario.program.steps if scenario.program is not None else ()
        for said in (scenario, *(step.scenario for step in steps if isinstance(step, Say))):
            if said.show is not None:
                yield said.show


def shows_similar(scenarios: Iterable[Scenario]) -> bool:
    """Whether a message shows similar products: then it is kept what each customer has bought."""
    return any(show.similar for show in shows_of(scenarios))


def relates(scenarios: Iterable[Scenario]) -> bool:
    """Whether a message shows what is looked at, or bought, together with a product: then that is counted."""
    return any(show.similar and show.similar_by != "category" for show in shows_of(scenarios))


def asks_offers(scenarios: Iterable[Scenario]) -> bool:
    """Whether a message asks which products cannot be had, or are reduced."""
    return any(show.similar or "discounted" in show.prefer for show in shows_of(scenarios))


def asks_device(scenarios: Iterable[Scenario]) -> bool:
    """Whether some scenario asks what a customer was last there with."""
    return any(SEEN_WITH in condition.reads for scenario in scenarios for condition in conditions_of(scenario))


def conditions_of(scenario: Scenario) -> tuple[Condition, ...]:
    """All conditions that a scenario asks."""
    own = () if scenario.when is None else (scenario.when,)
    return own if scenario.program is None else (*own, *scenario.program.conditions())


def heard_by(scenario: Scenario) -> frozenset[str]:
    """Signals and events that a scenario listens to, once begun or not."""
    own, program = scenario.of | scenario.without, scenario.program
    return own if program is None else own | program.awaited | {program.entry}


def audiences_of(scenario: Scenario) -> frozenset[str]:
    """The audiences that steps of a scenario add customers to."""
    steps = scenario.program.steps if scenario.program is not None else ()
    return frozenset(name for step in steps if isinstance(step, Note) for name, is_added in step.audiences if is_added)


def _reads(scenario: Scenario, name: str) -> bool:
    if heard_by(scenario) & _LISTENS[name]:
        return True
    if any(condition.reads & _READS[name] for condition in conditions_of(scenario)):
        return True
    change = scenario.program.change if scenario.program is not None else None
    if change is not None and "viewed" in change.of and name == _VIEW:
        return True
    steps = scenario.program.steps if scenario.program is not None else ()
    if any(_reads(step.scenario, name) for step in steps if isinstance(step, Say)):
        return True
    if any(isinstance(step, Tell) for step in steps):
        return True  # the sales team sees what was looked at, and looked for
    show = scenario.show
    return show is not None and (show.items in _SHOWS[name] or (name == _VIEW and show.similar > 0))
