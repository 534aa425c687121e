"""Walks over all customers of a partition, for what no event of theirs tells: a change of the catalogue, a time that has come. Pure.

A walk is a row of the partition with a timer. Each time that comes up a slice of the customers is looked at, in a step that also moves
the row's cursor on: a slice is looked at once, whatever crashes. Between two slices the partition goes on with its events. Customers are
walked in the order of a checksum of their keys, so that the cursor names nobody, and means the same in a partition that inherits it.
"""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from agents.conditions.rfm import scores
from agents.decide import Decider
from agents.decision import Decision
from agents.journeys.walk import program_of
from agents.walking import Order
from app.model.journal import JournalLine
from app.model.link import Changes
from app.model.reasons import Reason
from tables.customer import SHELF_PREFIX, SWEEP_PREFIX, Changed, Customer, Sweep
from tables.glance import may_know, orders_of
from tables.ranking import RANKING, Ranking
from tables.step import Step
from tables.views import mark_of

SLICE = 1_000
"""Customers that are looked at in one step."""
SLICE_BYTES = 4 << 20
"""A step that has grown so large looks at no more of them."""
PAUSE = 0.05
"""Seconds between two slices."""
RANKED = "rfm:ranking"
"""In place of a scenario's id: the walk is for a new ranking (`agents/rankings.py`)."""
MOST_SWEEPS = 1_000
"""Walks that a partition is at, at the most."""


_pack = msgspec.msgpack.Encoder().encode


def _turn(sweep: Sweep, key: str) -> tuple[bool, float, str]:
    return sweep.after < 0, sweep.at, key


class _Errand(NamedTuple):
    """What a walk is for: whether it may concern a customer, by the bytes of his row, and what it means to him."""

    may_concern: Callable[[bytes], bool]
    decide: Callable[[str, Customer], Decision]


class Sweeps:
    """The walks of all partitions; of a partition's, one after the other. In memory beside the rows is only the order of their keys."""

    def __init__(self, decider: Decider, publish: Callable[[Step, str, Decision], None], slice_: int = SLICE) -> None:
        self._decider, self._publish, self._slice = decider, publish, slice_
        self._waiting: dict[int, list[str]] = {}
        """Keys of a partition's walks, the one that is under way first."""
        self._orders: dict[int, Order] = {}
        self.counts: Counter[str] = Counter()
        """`begun`, `ended`, `unheard` and `missed` walks, customers `looked_at`, `touched` and `failed`, since the shell last took them."""

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
        waiting = self._walks(step)
        if len(waiting) >= MOST_SWEEPS:
            raise ValueError(f"the partition looks through its customers {MOST_SWEEPS} times already")
        step.put(key, Sweep(told.id, told.at, changes, told.at))
        waiting.append(key)
        step.wake(key, told.at)
        self.counts["begun"] += 1

    def begin_planned(self, step: Step, walk: Sweep) -> bool:
        """Begin a walk for a time that has come. False: the partition is at too many of them."""
        key, waiting = SWEEP_PREFIX + walk.id, self._walks(step)
        if key in step.rows:
            return True
        if len(waiting) >= MOST_SWEEPS:
            return False
        step.put(key, walk)
        waiting.append(key)
        step.wake(key, walk.due)
        self.counts["begun"] += 1
        return True

    def _walks(self, step: Step) -> list[str]:
        """The walks of a partition; found among its rows when it is first asked for them."""
        known = self._waiting.get(step.partition)
        if known is None:
            found = [name for name in step.rows if name.startswith(SWEEP_PREFIX)]
            # the one under way has a cursor; the others begin in the order of their imports
            known = self._waiting[step.partition] = sorted(found, key=lambda name: _turn(step.rows[name], name))
        return known

    def forget(self, partition: int) -> None:
        """What is known of a partition beside its rows counts no more: it is restored."""
        self._waiting.pop(partition, None)
        self._orders.pop(partition, None)

    def go_on(self, step: Step, key: str, sweep: Sweep, at: float) -> None:
        """Look at the next slice, as of `at` (epoch seconds); with the last one the row goes. A walk whose turn it is not waits to be woken."""
        waiting = self._walks(step)
        if key not in waiting:
            waiting.append(key)
        if waiting[0] != key:
            return
        errand = self._errand(step, sweep, at)
        if errand is not None:
            order = self._order(step, sweep, at)
            if not order.prepare():
                step.wake(key, at + PAUSE)
                return
            if not self._slice_of(step, sweep, at, order, errand):
                step.touch(key)
                step.wake(key, sweep.due)
                return
        step.delete(key)
        del waiting[0]
        self.counts["ended"] += 1
        if waiting:
            step.wake(waiting[0], at + PAUSE)
        else:
            self.forget(step.partition)

    def _slice_of(self, step: Step, sweep: Sweep, at: float, order: Order, errand: _Errand) -> bool:
        """Look at the next customers, and move the cursor on. Whether these were the last ones."""
        last, looked = sweep.after, 0
        for place, name in order.after(sweep.after):
            if (looked >= self._slice or (looked and step.size >= SLICE_BYTES)) and place != last:
                sweep.after, sweep.due = last, at + PAUSE
                self.counts["looked_at"] += looked
                return False
            self._look(step, name, sweep, at, errand)
            last, looked = place, looked + 1
        self.counts["looked_at"] += looked
        return True

    def _errand(self, step: Step, sweep: Sweep, at: float) -> _Errand | None:
        """None: what the walk is for is gone."""
        if sweep.scenario == RANKED:
            return self._ranked(step, at)
        return self._planned(sweep, at) if sweep.scenario else self._changes(sweep, at)

    def _ranked(self, step: Step, at: float) -> _Errand | None:
        row = step.rows.get(RANKING)
        ranks = row.ranks if type(row) is Ranking else None
        if type(row) is not Ranking or ranks is None:
            return None
        former = row.former

        def is_moved(packed: bytes) -> bool:
            orders = orders_of(packed)
            return orders is not None and (former is None or scores(orders, former) != scores(orders, ranks))

        return _Errand(is_moved, lambda name, row: self._decider.on_ranks(name, row, at))

    def _changes(self, sweep: Sweep, at: float) -> _Errand:
        products = {one.product_id for one in sweep.changes}
        marks = {mark_of(one) for one in products}
        wished = self._decider.kept.wished
        return _Errand(
            lambda packed: may_know(packed, products, marks, wished=wished),
            lambda name, row: self._decider.on_change(name, row, sweep, at),
        )

    def _planned(self, sweep: Sweep, at: float) -> _Errand | None:
        """None: the scenario is gone, or begins nothing any more."""
        scenario = self._decider.planned.get(sweep.scenario)
        if scenario is None or scenario.stopped:
            return None
        planned = program_of(scenario).planned
        segment = _pack(planned.segment) if planned is not None and planned.segment else b""
        return _Errand(
            lambda packed: segment in packed, lambda name, row: self._decider.on_planned(name, row, scenario, sweep, at)
        )

    def _order(self, step: Step, sweep: Sweep, at: float) -> Order:
        """The customers of a partition in their order: made when it is first needed, and anew for what has come since."""
        known = self._orders.get(step.partition)
        if known is None or known.at < sweep.at:
            keys = [name for name in step.rows if name[0] != SHELF_PREFIX[0]]
            known = self._orders[step.partition] = Order(at, keys)
        return known

    def _look(self, step: Step, name: str, sweep: Sweep, at: float, errand: _Errand) -> None:
        packed = step.packed
        try:
            if packed is not None and name not in packed.opened:
                found = packed.bytes_of(name)
                if not found or not errand.may_concern(found):
                    return
            row = step.rows.get(name)
            if type(row) is not Customer:
                return
            if packed is not None and name in step.changed:
                packed.pack(name)  # what this step has done so far stays, should the decision fail half-way
            decision = errand.decide(name, row)
        except Exception as error:  # one customer must not keep the others from hearing of it
            if packed is not None:
                packed.forget(name)
            self.counts["failed"] += 1
            detail: dict[str, str | float | int] = {"error": repr(error)[:200]}
            line = JournalLine(at, name, Reason.DECISION_FAILED, event_id=sweep.id, detail=detail)
            self._publish(step, name, Decision(Customer(), reasons=[line]))
            return
        if not decision.reasons and decision.wake_at is None:
            return
        self.counts["touched"] += 1
        step.touch(name)
        if decision.wake_at is not None:
            step.wake(name, decision.wake_at)
        self._publish(step, name, decision)
