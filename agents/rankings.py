"""Rankings: where customers stand among the others of their partition, worked out once a day. Pure.

Each partition has a row with a timer. When that comes up, the orders of its customers are read in slices, from the bytes of their rows, until
all were, or as many buyers as a sample has: customers come in the order of a checksum of their keys, so that the first of them are as
good as drawn by lot, and the same ones each day. The quantiles are then written into the row, and a walk (`agents/sweeps.py`) looks
after those whose scores they change. What was read lies in memory alone: after a crash it is read again.
"""

from collections.abc import Iterator
from itertools import islice

from agents.conditions.rfm import figures, ranks_of
from agents.decide import Decider
from agents.sweeps import PAUSE, RANKED, SLICE, Sweeps
from agents.walking import Order
from tables.customer import SHELF_PREFIX, SWEEP_PREFIX, Customer, Orders, Sweep
from tables.glance import orders_of
from tables.ranking import RANKING, Ranking
from tables.step import Step

SAMPLE = 20_000
"""Buyers by whom the others are measured, at the most."""
BUSY = 60.0
"""Seconds after which it is tried again while customers are still looked at for the ranking before."""


class _Reading:
    """Customers in the order of walks, as of `at` (epoch seconds), and what each buyer that was read has ordered."""

    def __init__(self, at: float, keys: list[str]) -> None:
        self._order = Order(at, keys)
        self._names: Iterator[tuple[int, str]] | None = None
        self.values: tuple[list[float], list[float], list[float]] = ([], [], [])

    def next(self, most: int) -> list[str] | None:
        """The next customers, at most so many: fewer are the last ones. None: they have no order yet, it takes another step."""
        if self._names is None:
            if not self._order.prepare():
                return None
            self._names = self._order.after(-1)
        return [name for _, name in islice(self._names, most)]


class Rankings:
    """The rankings of all partitions."""

    def __init__(self, decider: Decider, sweeps: Sweeps, slice_: int = SLICE, sample: int = SAMPLE) -> None:
        self._decider, self._sweeps, self._slice, self._sample = decider, sweeps, slice_, sample
        self._readings: dict[int, _Reading] = {}
        self._is_over = False

    def __bool__(self) -> bool:
        """Whether some segment asks where customers stand among the others."""
        return self._decider.members.ranked

    def keep(self, step: Step, at: float) -> None:
        """Have a row where one is needed; of one that is new the ranking is worked out at once. One that is needless goes when it comes up."""
        if self and type(step.rows.get(RANKING)) is not Ranking:
            step.put(RANKING, Ranking(at))
            step.wake(RANKING, at)

    def forget(self, partition: int) -> None:
        """What is known of a partition beside its rows counts no more: it is restored."""
        self._readings.pop(partition, None)

    def end(self) -> None:
        """Work out none any more: history is over, and only what has begun comes due."""
        self._is_over = True

    def stand(self, step: Step) -> None:
        """In this step customers are measured by the ranking of its partition."""
        row = step.rows.get(RANKING)
        self._decider.members.ranks = row.ranks if type(row) is Ranking else None

    def come(self, step: Step, row: Ranking, at: float) -> None:
        """The time for a new ranking has come, or for the next slice; it is `at` (epoch seconds)."""
        if not self:
            self._readings.pop(step.partition, None)
            step.delete(RANKING)
            return
        if self._is_over:
            return
        if SWEEP_PREFIX + RANKED in step.rows:
            step.wake(RANKING, at + BUSY)
            return
        reading = self._readings.get(step.partition)
        if reading is None:
            keys = [name for name in step.rows if name[0] != SHELF_PREFIX[0]]
            reading = self._readings[step.partition] = _Reading(at, keys)
        if self._read(step, reading):
            self._ranked(step, row, reading, at)
        else:
            step.wake(RANKING, at + PAUSE)

    def _read(self, step: Step, reading: _Reading) -> bool:
        """Read the next slice. Returns whether that is all."""
        names = reading.next(self._slice)
        for name in names or ():
            orders = _orders(step, name)
            if orders is not None:
                for values, value in zip(reading.values, figures(orders), strict=True):
                    values.append(value)
        return names is not None and (len(names) < self._slice or len(reading.values[0]) >= self._sample)

    def _ranked(self, step: Step, row: Ranking, reading: _Reading, at: float) -> None:
        del self._readings[step.partition]
        day = self._decider.members.day
        row.due = (at // day + 1.0) * day
        step.touch(RANKING)
        step.wake(RANKING, row.due)
        values = tuple(one[: self._sample] for one in reading.values)
        if not values[0]:
            return
        row.at, row.buyers = at, len(values[0])
        row.former, row.ranks = row.ranks, ranks_of(values)
        if row.ranks != row.former and not self._sweeps.begin_planned(step, Sweep(RANKED, at, [], at, scenario=RANKED)):
            row.ranks = row.former  # there is no room for the walk: tomorrow
        self.stand(step)


def _orders(step: Step, name: str) -> Orders | None:
    packed = step.packed
    if packed is not None and name not in packed.opened:
        found = packed.bytes_of(name)
        return orders_of(found) if found else None
    row = step.rows.get(name)
    return row.orders if type(row) is Customer else None
