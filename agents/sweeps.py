"""Walks over all customers of a partition, for what no event of theirs tells: a change of the catalogue. Pure.

A walk is a row of the partition with a timer. Each time that comes up a slice of the customers is looked at, in a step that also moves
the row's cursor on: a slice is looked at once, whatever crashes. Between two slices the partition goes on with its events. Customers are
walked in the order of a checksum of their keys, so that the cursor names nobody, and means the same in a partition that inherits it.
"""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple
from zlib import crc32

from agents.decide import Decider
from agents.decision import Decision
from app.model.journal import JournalLine
from app.model.link import Changes
from app.model.reasons import Reason
from tables.customer import SHELF_PREFIX, SWEEP_PREFIX, Changed, Customer, Sweep
from tables.glance import may_know
from tables.step import Step
from tables.views import mark_of

SLICE = 1_000
"""Customers that are looked at in one step."""
PAUSE = 0.05
"""Seconds between two slices."""
MOST_SWEEPS = 1_000
"""Walks that a partition is at, at the most."""


def order_of(key: str) -> int:
    """Where a customer comes in a walk."""
    return crc32(key.encode())


class _Left(NamedTuple):
    """The customers that a walk has not come to, the next one last; `after` is the cursor that this belongs to."""

    after: int
    keys: list[str]


class Sweeps:
    """The walks of all partitions. What is kept in memory beside the rows is only the order of their keys."""

    def __init__(self, decider: Decider, publish: Callable[[Step, str, Decision], None], slice_: int = SLICE) -> None:
        self._decider, self._publish, self._slice = decider, publish, slice_
        self._left: dict[tuple[int, str], _Left] = {}
        self._running: dict[int, int] = {}
        self.counts: Counter[str] = Counter()
        """`begun`, `ended` and `unheard` walks, customers `looked_at`, `touched` and `failed`, since the shell last took them."""

    def begin(self, step: Step, told: Changes) -> None:
        """Begin a walk for what an import changed. Raises ValueError when the partition is at too many of them."""
        key = SWEEP_PREFIX + told.id
        changes = [
            Changed(one.id, one.kind.value, one.product_id, one.price, one.old_price, one.currency)
            for one in told.changes
            if one.available and self._decider.hears_of(one.kind.value)
        ]
        if key in step.rows:
            return
        if not changes:
            self.counts["unheard"] += 1
            return
        under_way = self._under_way(step)
        if under_way >= MOST_SWEEPS:
            raise ValueError(f"the partition looks through its customers {MOST_SWEEPS} times already")
        step.put(key, Sweep(told.id, told.at, changes, told.at))
        step.wake(key, told.at)
        self._running[step.partition] = under_way + 1
        self.counts["begun"] += 1

    def _under_way(self, step: Step) -> int:
        """The walks of a partition; counted when it is first asked."""
        known = self._running.get(step.partition)
        return sum(name.startswith(SWEEP_PREFIX) for name in step.rows) if known is None else known

    def forget(self, partition: int) -> None:
        """What is known of a partition beside its rows counts no more: it is restored."""
        self._running.pop(partition, None)
        for key in [key for key in self._left if key[0] == partition]:
            del self._left[key]

    def go_on(self, step: Step, key: str, sweep: Sweep, at: float) -> None:
        """Look at the next slice, as of `at` (epoch seconds); with the last one the row goes."""
        left = self._rest(step, key, sweep)
        products = {one.product_id for one in sweep.changes}
        marks = {mark_of(one) for one in products}
        looked, last = 0, sweep.after
        while left and (looked < self._slice or order_of(left[-1]) == last):
            name = left.pop()
            last = order_of(name)
            looked += 1
            self._look(step, name, sweep, at, products, marks)
        self.counts["looked_at"] += looked
        if not left:
            self._left.pop((step.partition, key), None)
            self._running[step.partition] = self._under_way(step) - 1
            step.delete(key)
            self.counts["ended"] += 1
            return
        sweep.after, sweep.due = last, at + PAUSE
        self._left[step.partition, key] = _Left(last, left)
        step.touch(key)
        step.wake(key, sweep.due)

    def _rest(self, step: Step, key: str, sweep: Sweep) -> list[str]:
        known = self._left.get((step.partition, key))
        if known is not None and known.after == sweep.after:
            return known.keys
        names = [name for name in step.rows if name[0] != SHELF_PREFIX[0] and order_of(name) > sweep.after]
        return sorted(names, key=lambda name: (order_of(name), name), reverse=True)

    def _look(self, step: Step, name: str, sweep: Sweep, at: float, products: set[str], marks: set[bytes]) -> None:
        packed = step.packed
        if packed is not None and name not in packed.opened:
            cell = packed.cells.get(name)
            if cell is None or not cell.packed or not may_know(cell.packed, products, marks):
                return
        row = step.rows.get(name)
        if type(row) is not Customer:
            return
        if packed is not None and name in step.changed:
            packed.pack(name)  # what this step has done so far stays, should the decision fail half-way
        try:
            decision = self._decider.on_change(name, row, sweep, at)
        except Exception as error:  # one customer must not keep the others from hearing of it
            if packed is not None:
                packed.opened.pop(name, None)
            self.counts["failed"] += 1
            detail: dict[str, str | float | int] = {"error": repr(error)[:200]}
            line = JournalLine(at, name, Reason.DECISION_FAILED, event_id=sweep.id, detail=detail)
            self._publish(step, name, Decision(Customer(), reasons=[line]))
            return
        if not decision.reasons:
            return
        self.counts["touched"] += 1
        step.touch(name)
        if decision.wake_at is not None:
            step.wake(name, decision.wake_at)
        self._publish(step, name, decision)
