"""Moves of customer state between partitions: records of the `links` topic, keyed by the customer they are for.

identify(user U, anonymous A) on U's partition  ->  Claim(to A's key: "you belong to U")
Claim on A's partition  ->  A's state is packed, a forwarding pointer stays  ->  Move(to U)
Move on U's partition   ->  merged into U's state, live timers included
late event for A        ->  Forward(to U)
alert of U over         ->  Release(to the alert's key, which a Claim had pointed to U)
an import changes prices -> Changes, to every partition
what is out of stock, or reduced -> Offered, to every partition
`boomerang erase U`     ->  Erase(U)  ->  Erase of every key that U's row names
"""

import msgspec

from app.model.catalogue import Change


class Claim(msgspec.Struct, gc=False, omit_defaults=True, tag="claim", tag_field="kind"):
    """`alias` belongs to `owner`."""

    alias: str
    owner: str
    at: float
    event_id: str = ""


class Move(msgspec.Struct, gc=False, omit_defaults=True, tag="move", tag_field="kind"):
    """`state` is the msgpack of the alias's customer state."""

    alias: str
    owner: str
    state: bytes
    at: float


class Forward(msgspec.Struct, gc=False, omit_defaults=True, tag="forward", tag_field="kind"):
    """`record` is the value of a record of `topic` that came for `alias` after its state had moved."""

    alias: str
    owner: str
    record: bytes
    topic: str = "clickstream"
    event_id: str = ""
    hops: int = 1


class Release(msgspec.Struct, gc=False, omit_defaults=True, tag="release", tag_field="kind"):
    """Nobody will ask for `alias` any more: the pointer that a claim has left there is forgotten."""

    alias: str
    owner: str
    at: float


class Erase(msgspec.Struct, gc=False, omit_defaults=True, tag="erase", tag_field="kind"):
    """Forget `customer`, one key of a person, on request. `sweep`: only the pointers to it, in all rows of a partition."""

    customer: str
    at: float
    sweep: bool = False


class Changes(msgspec.Struct, gc=False, omit_defaults=True, tag="changes", tag_field="kind"):
    """What an import changed, for the customers of every partition. Its record has no key: it belongs to the partition as such."""

    id: str
    at: float
    changes: list[Change]


class Offered(msgspec.Struct, gc=False, omit_defaults=True, tag="offered", tag_field="kind"):
    """What an import told of products, for every partition: (product, its price, what it cost before). Its record has no key.

    A price of 0: it cannot be had. Another one below what it cost before: it is reduced. Neither: it is as usual again. `anew`: what was
    told by former imports counts no more.
    """

    at: float
    told: list[tuple[str, float, float]]
    anew: bool = False


Link = Claim | Move | Forward | Release | Erase | Changes | Offered
