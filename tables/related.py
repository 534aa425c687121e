"""What is looked at and bought together with a product: a few neighbours, counted with weights that halve with time. Pure.

A pair at `t` weighs 1, and half as much a half-life later. Nothing is touched for that: weights stand as they were worth at the row's
own moment `at`, so a pair counts 2 ** ((t - at) / half-life) there, whether `t` is after it or before (a late event). All weights of a
row are asked for at one moment, and shrink alike until then. A row whose moment is very long ago takes a new one.

Only the heaviest neighbours are kept, by the rule of space-saving: a newcomer takes the place of the lightest one and its weight, which
is noted as what may be too much of it. So no weight is too small, none is too large by more than was noted, and whoever has more than
one part in `MOST` of all weight is there.
"""

from collections.abc import Iterable
from math import log2
from typing import Literal

import msgspec

from tables.views import Product

MOST = 12
"""Neighbours kept of each kind."""
HALF_VIEWED = 14 * 86_400.0
"""Seconds in which what was looked at together comes to count half."""
HALF_BOUGHT = 60 * 86_400.0
"""The same of what was bought together."""
REBASED_AFTER = 32 * HALF_VIEWED
"""Seconds after which a row takes a new moment: weights stay far from the largest number."""
NOTHING = 1e-6
"""A weight that is forgotten then."""
LEAST = 0.5
"""Weight below which two products have nothing to do with each other."""

RELATED_PREFIX = "\x00with:"
"""Keys of these rows; no customer key may begin with a control character."""

Kind = Literal["viewed", "bought"]
_HALF: dict[str, float] = {"viewed": HALF_VIEWED, "bought": HALF_BOUGHT}


class Neighbours(msgspec.Struct, array_like=True, gc=False):
    """Product -> its weight, and how much of that may be too much (0 where it stands in none)."""

    weights: dict[str, float] = {}
    errors: dict[str, float] = {}


class Related(msgspec.Struct, array_like=True, gc=False, tag=8):
    """A product, as it was seen last, and its neighbours. `at` is the moment that weights are of, `seen_at` when it was last seen so (epoch seconds).

    `score` compares rows: the binary logarithm of how often it was met, old times counting less. It never falls.
    """

    product: Product
    at: float
    seen_at: float
    score: float
    viewed: Neighbours = msgspec.field(default_factory=Neighbours)
    bought: Neighbours = msgspec.field(default_factory=Neighbours)


def begun(product: Product, at: float) -> Related:
    """The row of a product that is met for the first time at `at`."""
    return Related(product, at, at, at / HALF_VIEWED)


def meet(row: Related, at: float) -> None:
    """The product is met again."""
    high, low = max(row.score, at / HALF_VIEWED), min(row.score, at / HALF_VIEWED)
    row.score = high + log2(1.0 + 2.0 ** (low - high))


def describe(row: Related, product: Product, at: float) -> None:
    """The product looks so at `at`; what is not told now stays as it was."""
    if at < row.seen_at:
        return
    known, row.seen_at = row.product, at
    row.product = Product(
        product.product_id,
        product.category or known.category,
        product.price or known.price,
        product.name or known.name,
        product.url or known.url,
        product.image_url or known.image_url,
    )


def count(row: Related, kind: Kind, others: Iterable[str], at: float) -> None:
    """Count other products as met together with this one at `at` (epoch seconds)."""
    if at - row.at > REBASED_AFTER:
        _rebase(row, at)
    weight = grown(at - row.at, _HALF[kind])
    for other in others:
        _add(getattr(row, kind), other, weight)


def grown(seconds: float, half: float) -> float:
    """What a weight of 1 that comes so many seconds later is worth earlier."""
    return float(2.0 ** (seconds / half))


def heaviest(row: Related, kind: Kind, at: float) -> dict[str, float]:
    """Neighbours and what they surely weigh at `at`, those that are too light left out; heaviest first."""
    found: Neighbours = getattr(row, kind)
    shrunk = 1.0 / grown(at - row.at, _HALF[kind])
    sure = {name: (weight - found.errors.get(name, 0.0)) * shrunk for name, weight in found.weights.items()}
    order = sorted(sure, key=lambda name: (-sure[name], name))
    return {name: sure[name] for name in order if sure[name] >= LEAST}


def _add(found: Neighbours, name: str, weight: float) -> None:
    weights = found.weights
    if name in weights or len(weights) < MOST:
        weights[name] = weights.get(name, 0.0) + weight
        return
    lightest = min(weights, key=lambda known: (weights[known], known))
    floor = weights.pop(lightest)
    found.errors.pop(lightest, None)
    weights[name], found.errors[name] = floor + weight, floor


def _rebase(row: Related, at: float) -> None:
    for kind, half in _HALF.items():
        found: Neighbours = getattr(row, kind)
        shrunk = 1.0 / grown(at - row.at, half)
        found.weights = {name: weight * shrunk for name, weight in found.weights.items() if weight * shrunk > NOTHING}
        found.errors = {name: error * shrunk for name, error in found.errors.items() if name in found.weights}
    row.at = at
