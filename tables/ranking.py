"""By what the customers of a partition are ranked. Pure data; field order is the format, so new fields go to the end."""

import msgspec

RANKING = "\x00ranking"
"""Key of a partition's ranking."""

Ranks = tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]
"""Quantiles of recency (moments of last orders, epoch seconds), frequency (days with an order) and money."""


class Ranking(msgspec.Struct, array_like=True, gc=False, tag=6):
    """What scores of customers are told apart by in a partition, as of `at` (epoch seconds; 0: never yet), by so many `buyers` (`agents/rankings.py`).

    `due` is when it is worked out next. `former` is what counted before: whose scores are the same by both is not looked at.
    """

    due: float
    at: float = 0.0
    ranks: Ranks | None = None
    former: Ranks | None = None
    buyers: int = 0
