"""Whether a feed that could be read can be true. An export that failed half-way must not tell customers that all is gone. Pure."""

from enum import StrEnum
from typing import NamedTuple

from app.catalogue.diff import JUMP, Tally

FEW = 10
"""So few products prove nothing: a small shop may change a third of its goods in a night."""


class Doubt(StrEnum):
    """Why a feed is not believed."""

    BAD_OFFERS = "bad_offers"
    LOST = "lost"
    PRICES = "prices"


class Limits(NamedTuple):
    """Percent at which doubt begins: of the feed's offers that cannot be used, of products no longer sold, of prices that jumped."""

    bad: float = 5.0
    lost: float = 30.0
    jumped: float = 20.0


def doubts(tally: Tally, bad: int, limits: Limits) -> dict[Doubt, str]:
    """What speaks against a feed, each with a sentence; empty: nothing."""
    found: dict[Doubt, str] = {}
    read = tally.offers + bad
    if _much(bad, read, limits.bad):
        found[Doubt.BAD_OFFERS] = f"{bad:,} of {read:,} offers cannot be used (more than {limits.bad:g} %)"
    if _much(tally.lost, tally.sold, limits.lost):
        found[Doubt.LOST] = (
            f"{tally.lost:,} of {tally.sold:,} products that were sold before would be gone or out of stock (more than {limits.lost:g} %)"
        )
    if _much(tally.jumped, tally.priced, limits.jumped):
        found[Doubt.PRICES] = (
            f"{tally.jumped:,} of {tally.priced:,} prices would be {JUMP:g} times higher or lower (more than {limits.jumped:g} %)"
        )
    return found


def _much(part: int, whole: int, percent: float) -> bool:
    return part > FEW and part * 100.0 > whole * percent
