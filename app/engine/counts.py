"""From what the pure core has counted to metrics, and the alarm about a flood of bad records."""

from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

from agents.segments.sizes import Sizes
from agents.worth.tally import Tally
from app import metrics
from app.model.reasons import Reason

WINDOW = 60
"""Looks (about seconds) over which a flood is judged."""
FLOOD_SHARE = 0.01
FLOOD_IN_A_ROW = 1000
MOST_CURRENCIES = 20
"""Currencies that are told apart."""
WALKS = ("begun", "ended", "unheard", "missed")
"""What of `Sweeps.counts` is of walks, and not of customers."""
DISARMS = frozenset(
    {
        Reason.ENDED_BY_ORDER,
        Reason.ENDED_BY_EMPTIED_CART,
        Reason.ENDED_BY_EVENT,
        Reason.ENDED_BY_MERGE,
        Reason.SCENARIO_GONE,
    }
)
"""Reasons that end an armed scenario before it fires."""


class Flood:
    """Whether too many records are bad: over 1 % in the last minute, or a thousand between two looks with no good one. Pure."""

    def __init__(self) -> None:
        self._looks: deque[tuple[int, int]] = deque(maxlen=WINDOW)
        self._row = 0

    def look(self, records: int, bad: int) -> bool:
        """`records` and `bad` ones among them since the last look."""
        self._looks.append((records, bad))
        self._row = self._row + bad if bad >= records else 0
        total, total_bad = (sum(column) for column in zip(*self._looks, strict=True))
        return self._row >= FLOOD_IN_A_ROW or (total_bad >= 10 and total_bad > FLOOD_SHARE * total)


class DecisionCounts:
    """Takes the counters of the behaviour agent and clears them."""

    def __init__(
        self, decisions: Counter[tuple[str, str]], dead: Counter[str], receipts: Counter[tuple[str, str]]
    ) -> None:
        """`decisions` by (scenario, reason), `dead` letters by reason, `receipts` by (scenario, outcome)."""
        self._decisions, self._dead, self._receipts = decisions, dead, receipts
        self._flood = Flood()
        self._applied = 0.0

    def take(self) -> None:
        """Move the counts into the metrics."""
        for (scenario, reason), count in self._decisions.items():
            metrics.DECISIONS.labels(scenario, reason).inc(count)
            if reason == Reason.FIRED:
                metrics.TRIGGERS.labels(scenario).inc(count)
            elif reason in DISARMS:
                metrics.TIMERS_CANCELLED.labels(reason).inc(count)
        for (scenario, outcome), count in self._receipts.items():
            metrics.RECEIPTS.labels(scenario, outcome).inc(count)
        bad = self._dead.total()
        for reason, count in self._dead.items():
            metrics.DEAD_LETTERS.labels(reason).inc(count)
        self._decisions.clear()
        self._receipts.clear()
        self._dead.clear()
        applied = sum(sample.value for sample in _samples() if sample.name.endswith("_total"))
        metrics.FLOOD.set(self._flood.look(int(applied - self._applied), bad))
        self._applied = applied


def show_segments(names: Iterable[str]) -> None:
    """Show that these segments are there, before anybody has come or gone: a counter that begins at 1 has no rate."""
    for name in names:
        for way in ("entered", "left"):
            metrics.SEGMENT_MOVES.labels(name, way)


class SegmentCounts:
    """Shows the sizes of segments and who came and went."""

    def __init__(self, sizes: Sizes, names: Iterable[str]) -> None:
        """`names`: the segments that there are, shown from the start."""
        self._sizes = sizes
        self._shown: set[tuple[str, str]] = set()
        show_segments(names)

    def take(self) -> None:
        """Bring the metrics up to date."""
        now = {(name, str(partition)): count for (partition, name), count in self._sizes.now.items()}
        for labels in self._shown - now.keys():
            metrics.SEGMENT_CUSTOMERS.remove(*labels)
        for labels, count in now.items():
            metrics.SEGMENT_CUSTOMERS.labels(*labels).set(count)
        self._shown = set(now)
        for (name, entered), count in self._sizes.flows.items():
            metrics.SEGMENT_MOVES.labels(name, "entered" if entered else "left").inc(count)
        self._sizes.flows.clear()


class SweepCounts:
    """Moves what walks came to into the metrics."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        for what in WALKS:
            metrics.SWEEPS.labels(what)
        for what in ("looked_at", "touched", "failed"):
            metrics.SWEEP_CUSTOMERS.labels(what)

    def take(self) -> None:
        """Move the counts."""
        for what, count in self._counts.items():
            counter = metrics.SWEEPS if what in WALKS else metrics.SWEEP_CUSTOMERS
            counter.labels(what).inc(count)
        self._counts.clear()


class WorthCounts:
    """Moves what scenarios bring into the metrics."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._currencies: set[str] = set()

    def take(self) -> None:
        """Move the counts."""
        tally = self._tally
        for counter, counts in (
            (metrics.ENTERED, tally.entered),
            (metrics.GOALS, tally.goals),
            (metrics.GOALS_UNDONE, tally.undone),
            (metrics.ORDERS_OWED, tally.owed),
            (metrics.GOALS_OWED, tally.goals_owed),
        ):
            for labels, count in counts.items():
                counter.labels(*labels).inc(count)
        for counter, sums in ((metrics.REVENUE, tally.revenue), (metrics.REVENUE_BACK, tally.back)):
            for (scenario, channel, currency), amount in sums.items():
                counter.labels(scenario, channel, self._known(currency)).inc(max(0.0, amount))
        tally.clear()

    def _known(self, currency: str) -> str:
        """The currency, or `other` beyond so many: a label that comes from outside must be bounded."""
        if len(self._currencies) < MOST_CURRENCIES:
            self._currencies.add(currency)
        return currency if currency in self._currencies else "other"


def _samples() -> list[Any]:
    return [sample for metric in metrics.EVENTS_APPLIED.collect() for sample in metric.samples]
