"""How many customers are in each segment, by partition, and how many came and went. Counted along, exact after a restore. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from tables.customer import Customer


class Sizes:
    """Counts of the partitions that this process has."""

    def __init__(self) -> None:
        self.now: Counter[tuple[int, str]] = Counter()
        """(partition, segment) -> customers in it."""
        self.flows: Counter[tuple[str, bool]] = Counter()
        """(segment, whether entered) since the shell last took them for the metrics."""

    def moved(self, partition: int, moves: Iterable[tuple[str, bool]]) -> None:
        """Customers entered (True) or left segments."""
        for name, entered in moves:
            self.now[partition, name] += 1 if entered else -1
            self.flows[name, entered] += 1

    def rebuilding(self, partition: int, wake_of: Callable[[Any], float | None]) -> Callable[[Any], float | None]:
        """`wake_of` for the rows of a partition that is read anew: counts who is in which segment on the way."""
        self.forget(partition)

        def counting(row: Any) -> float | None:
            if type(row) is Customer:
                for name in (row.engagement.segments if row.engagement is not None else None) or ():
                    self.now[partition, name] += 1
            return wake_of(row)

        return counting

    def gone(self, partition: int, row: Any) -> None:
        """A row is forgotten, or has moved away."""
        if type(row) is Customer:
            for name in (row.engagement.segments if row.engagement is not None else None) or ():
                self.now[partition, name] -= 1

    def forget(self, partition: int) -> None:
        """A partition is no longer ours, or is read anew."""
        for key in [key for key in self.now if key[0] == partition]:
            del self.now[key]
