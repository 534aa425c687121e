"""Keeps, by product, what customers of a partition look at and buy together with it (`tables/related.py`). Pure.

Each partition counts what its own customers do; nothing is joined. So all follows from the records of the partition alone, and comes out
the same after a crash. A partition keeps a bounded number of products: a new one takes the place of the one that was met least, old
times counting less.
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple

from app.model.event import Event, Properties
from tables import related
from tables.customer import Customer
from tables.related import RELATED_PREFIX, Kind, Related
from tables.step import Step
from tables.views import Product, product_of

MOST_PRODUCTS = 20_000
"""Products that a partition keeps neighbours of."""
TOGETHER = 1_800.0
"""Seconds within which two views are of one search for something."""
VIEWS = 2
"""Products looked at before that a view is counted together with."""
LINES = 8
"""Products of an order that are counted together."""


class Together(NamedTuple):
    """Products that are met together. A view pairs its own with those seen `before`; an order pairs all of its own."""

    kind: Kind
    before: list[Product]


class _Known:
    """The rows of one partition: how many, and, once there are as many as may be, which one goes next."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.heap: list[tuple[float, str]] | None = None
        """(score when it was put here, key); scores only rise."""


def met(customer: Customer, event: Event, at: float) -> Together | None:
    """Whether an event of a customer that is about to be applied brings products together. Repeated ones do not."""
    properties = event.properties
    if properties is None or event.historical:
        return None
    if event.event == "Product Viewed":
        if not properties.product_id or customer.views is None:
            return None
        before = customer.views.just_before(properties.product_id, at - TOGETHER, at, VIEWS)
        return Together("viewed", before) if before else None
    if event.event != "Order Completed" or not properties.products:
        return None
    if customer.orders is not None and (properties.order_id or event.messageId) in customer.orders.ids:
        return None
    return Together("bought", [])


def _products(properties: Properties, together: Together) -> list[Product]:
    """What is met, once each, as the event has it."""
    if together.kind == "viewed":
        return [product_of(properties), *together.before]
    lines = {line.product_id: line for line in properties.products or () if line.product_id}
    return [product_of(line) for line in [*lines.values()][:LINES]]


class Relations:
    """What is met together, in all partitions."""

    def __init__(self, most: int = MOST_PRODUCTS) -> None:
        self._most = most
        self._known: dict[int, _Known] = {}

    def forget(self, partition: int) -> None:
        """What is known of a partition beside its rows counts no more: it is restored."""
        self._known.pop(partition, None)

    def note(self, step: Step, event: Event, together: Together | None, at: float) -> None:
        """Count what an event, which has been applied, brings together at `at` (epoch seconds), if anything."""
        if together is None or event.properties is None:
            return
        kind, products = together.kind, _products(event.properties, together)
        if len(products) < 2:
            return
        rows = []
        for number, product in enumerate(products):
            is_new = number == 0 or kind == "bought"  # of what was seen before the row knows as much, or more
            rows.append(self._row(step, product, at, products, is_new=is_new))
        for number, row in enumerate(rows):
            others = products[:1] if number and kind == "viewed" else products
            related.count(row, kind, [other.product_id for other in others if other is not products[number]], at)

    def _row(self, step: Step, product: Product, at: float, spared: list[Product], *, is_new: bool) -> Related:
        key = RELATED_PREFIX + product.product_id
        row: Related | None = step.rows.get(key)
        if row is None:
            self._make_room(step, spared)
            row = related.begun(product, at)
            step.put(key, row)
            known = self._known[step.partition]
            known.count += 1
            if known.heap is not None:
                heappush(known.heap, (row.score, key))
            return row
        related.meet(row, at)
        if is_new:
            related.describe(row, product, at)
        step.touch(key)
        return row

    def _make_room(self, step: Step, products: list[Product]) -> None:
        """Let the product go that was met least, where there is no room for one more; none of `products`."""
        known = self._known.get(step.partition)
        if known is None:
            known = self._known[step.partition] = _Known(sum(key.startswith(RELATED_PREFIX) for key in step.rows))
        if known.count < self._most:
            return
        peek: Callable[[str], Any] = step.rows.get if step.packed is None else step.packed.peek
        if known.heap is None:
            names = [key for key in step.rows if key.startswith(RELATED_PREFIX)]
            known.heap = [(peek(key).score, key) for key in names]
            heapify(known.heap)
        keys, spared = {RELATED_PREFIX + product.product_id for product in products}, []
        while known.heap and known.count >= self._most:
            score, key = heappop(known.heap)
            row = peek(key)
            if row is None:
                continue
            if key in keys:
                spared.append((row.score, key))
            elif row.score > score:
                heappush(known.heap, (row.score, key))
            else:
                step.delete(key)
                known.count -= 1
        for entry in spared:
            heappush(known.heap, entry)
