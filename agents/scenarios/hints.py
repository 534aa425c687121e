"""What is no fault of a scenario and still worth a look: names that are nearly others. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches

from agents.scenarios.language import Scenario
from agents.scenarios.shape import Fault

NEAR = 0.85
"""How alike two names are of which one may be a slip of the other."""


def hints(scenario: Scenario, others: Iterable[Scenario], events: Collection[str]) -> Iterator[Fault]:
    """Families and events of a scenario that may be misspelt. `events` are the names of the E-commerce specification."""
    families = Counter(other.family for other in others if other.id != scenario.id)
    if scenario.family not in families:
        near = get_close_matches(scenario.family, families, 1, NEAR)
        if near:
            yield Fault(("family",), f"no other scenario is of {scenario.family!r}; is {near[0]!r} meant?")
    for field, names in (("of", scenario.of), ("without", scenario.without)):
        for name in sorted(names):
            near = get_close_matches(name, events, 1, NEAR) if name[:1].isupper() and name not in events else []
            if near:
                text = f"{name!r} is no event of the E-commerce specification; is {near[0]!r} meant, or an event of your own?"
                yield Fault(("absence", field), text)
