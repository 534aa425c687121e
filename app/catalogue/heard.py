"""What of the catalogue the shop's scenarios ask for: only that goes to the engine."""

import logging
from typing import NamedTuple

from agents.scenarios.index import ScenarioIndex
from agents.scenarios.language import ScenarioError
from agents.scenarios.load import load_all
from agents.scenarios.needs import asks_offers
from app.model.catalogue import ChangeKind
from app.settings import Settings

log = logging.getLogger(__name__)

ALL = {ChangeKind.PRICE_DROP: 0.0, ChangeKind.BACK_IN_STOCK: 0.0}
"""All that scenarios can begin on."""


class Heard(NamedTuple):
    """Kinds of changes, and the least share that a price must have fallen by; and whether messages ask what cannot be had, or is reduced."""

    changes: dict[ChangeKind, float]
    offers: bool = False


def heard(settings: Settings) -> Heard:
    """What scenarios ask for.

    All of it when the scenarios cannot be read: workers go on with those of before, and pass over what these do not hear.
    """
    try:
        scenarios = load_all(settings.scenarios, time_scale=settings.time_scale).site
    except (ScenarioError, OSError) as error:
        log.warning("the scenarios cannot be read (%s): every change goes to the engine", error)
        return Heard(dict(ALL), offers=True)
    found: dict[ChangeKind, float] = {}
    for _, change in ScenarioIndex(scenarios).changing:
        kind = ChangeKind(change.kind)
        found[kind] = min(change.least, found.get(kind, change.least))
    return Heard(found, asks_offers(scenarios))
