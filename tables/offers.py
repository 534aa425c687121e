"""What the catalogue told of products that are not as usual: they cannot be had, or cost less than they did. Pure.

They lie in a few rows of the partition, each product in the one that its digest says: as columns of bytes, since there may be many.
"""

from hashlib import blake2b
from struct import Struct
from typing import Any, NamedTuple

import msgspec

from app.model.link import Offered
from tables.step import Step

MOST = 1_000
"""Products of one row. Of more the ones that were told first are forgotten."""
OFFERS_PREFIX = "\x00offers:"
"""Keys of these rows; no customer key may begin with a control character."""
_DIGEST = 8
_KEYS = tuple(f"{OFFERS_PREFIX}{number:02x}" for number in range(256))
_PRICES = Struct(">dd")


class Offers(msgspec.Struct, array_like=True, gc=False, tag=7):
    """Digests of products, and of each its price (0: it cannot be had) and what it cost before."""

    digests: bytes = b""
    prices: bytes = b""


class Offer(NamedTuple):
    """A product that is not as usual. `price` 0: it cannot be had; else it costs so much now, and `was` before."""

    price: float
    was: float


def take(step: Step, told: Offered) -> None:
    """Note what an import told. `anew`: all that was known before counts no more."""
    if told.anew:
        for key in _KEYS:
            if key in step.rows:
                step.delete(key)
    for product_id, price, was in told.told:
        _note(step, product_id, price, was)


def offer_of(rows: Any, product_id: str) -> Offer | None:
    """What is known of a product; None: it is as usual, or nobody told. `rows` gives a row by its key."""
    digest = _digest(product_id)
    row = rows(_KEYS[digest[0]])
    place = -1 if row is None else _place(row.digests, digest)
    return None if place < 0 else Offer(*_PRICES.unpack_from(row.prices, place * _PRICES.size))


def _note(step: Step, product_id: str, price: float, was: float) -> None:
    digest = _digest(product_id)
    key, is_usual = _KEYS[digest[0]], price > 0.0 and was <= price
    row = step.rows.get(key)
    if row is None:
        if is_usual:
            return
        row = Offers()
        step.put(key, row)
    place = _place(row.digests, digest)
    if place < 0 and is_usual:
        return
    if place >= 0:
        row.digests = row.digests[: place * _DIGEST] + row.digests[(place + 1) * _DIGEST :]
        row.prices = row.prices[: place * _PRICES.size] + row.prices[(place + 1) * _PRICES.size :]
    if not is_usual:
        row.digests = (row.digests + digest)[-MOST * _DIGEST :]
        row.prices = (row.prices + _PRICES.pack(price, was))[-MOST * _PRICES.size :]
    if row.digests:
        step.touch(key)
    else:
        step.delete(key)


def _digest(product_id: str) -> bytes:
    return blake2b(product_id.encode(), digest_size=_DIGEST).digest()


def _place(digests: bytes, digest: bytes) -> int:
    """The number of a digest in the column; -1: it is not there."""
    at = digests.find(digest)
    while at >= 0 and at % _DIGEST:
        at = digests.find(digest, at + 1)
    return at // _DIGEST if at >= 0 else -1
