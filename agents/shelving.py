"""Keeps the shelves of a partition: what its customers look at, by category. Pure."""

from app.model.event import Event
from tables import shelf
from tables.customer import SHELF_PREFIX, Shelf
from tables.step import Step

MOST_SHELVES = 5_000
"""Categories that a partition keeps a shelf for."""


class Shelves:
    """The shelves of all partitions."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}

    def forget(self, partition: int) -> None:
        """How many shelves a partition has counts no more: it is restored."""
        self._known.pop(partition, None)

    def put(self, step: Step, viewer: str, event: Event, at: float) -> None:
        """Put what `viewer` looked at, at `at` (epoch seconds), on the shelf of its category."""
        properties = event.properties
        if properties is None or not properties.category or not properties.product_id:
            return
        key = SHELF_PREFIX + properties.category[:200]
        row = step.rows.get(key)
        if row is None:
            row = Shelf(items=[])
            if not shelf.put(row, properties, viewer, at) or not self._has_room(step):
                return
            step.put(key, row)
        elif shelf.put(row, properties, viewer, at):
            step.touch(key)

    def _has_room(self, step: Step) -> bool:
        """Whether one more shelf may be kept; counts the shelves of a partition when it is first asked."""
        known = self._known.get(step.partition)
        if known is None:
            known = sum(key.startswith(SHELF_PREFIX) for key in step.rows)
        self._known[step.partition] = min(known + 1, MOST_SHELVES)
        return known < MOST_SHELVES
