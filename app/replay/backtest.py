"""What a set of scenarios would have done with recorded events: counts by reason, overlaps, samples, cost. The core alone, no sends.

Events before `since` are applied and not counted: they make the state that later decisions stand on.
"""

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from itertools import combinations

from agents.allowed import NOBODY
from agents.decide import Decider
from agents.dialogs.staff import Staff
from agents.scenarios.language import Scenario
from agents.segments.language import SegmentSet
from app.codec import encode_json
from app.model.journal import JournalLine
from app.model.policy import Policy
from app.model.reasons import Reason
from app.model.trigger import Trigger
from app.replay.core import CoreReplay

BUNDLE = 500
"""Events of a partition in one step. Links and receipts follow after it, as they would in the worker."""
MOST_CUSTOMERS = 2_000_000
"""Customers whose scenarios are remembered, to see overlaps."""


class Backtest:
    """One run over the events."""

    def __init__(
        self,
        scenarios: Sequence[Scenario],
        policy: Policy,
        *,
        partitions: int = 4,
        locale: str = "en",
        since: float = 0.0,
        samples: int = 5,
        segments: SegmentSet | None = None,
        staff: Staff = NOBODY,
    ) -> None:
        """`staff`: whom alerts of journeys would go to."""
        self.replay = CoreReplay(
            Decider(scenarios, locale=locale, policy=policy.without_mailboxes, segments=segments, staff=staff),
            partitions,
            self._fired,
            bundle=BUNDLE,
            on_line=self._told,
        )
        self._since, self._most, self._prices = since, samples, policy.prices
        self._digest = blake2b(digest_size=16)
        self._by_customer: dict[str, set[str]] = {}
        self.reasons: Counter[tuple[str, str]] = Counter()
        """(scenario, reason) of what was decided since `since`."""
        self.samples: dict[str, list[Trigger]] = {}
        """Scenario -> its first triggers."""
        self.cost: Counter[str] = Counter()
        """Scenario -> what its messages would have cost, one unit each, over the first channel."""

    @property
    def digest(self) -> str:
        """Of the whole journal: two runs over the same events have the same one."""
        return self._digest.hexdigest()

    def count(self, scenario: str, reason: str) -> int:
        """How often that was decided."""
        return self.reasons[scenario, reason]

    def refused(self, scenario: str) -> dict[str, int]:
        """Reason -> how often it kept the scenario from firing, most frequent first."""
        found = {reason: n for (name, reason), n in self.reasons.items() if name == scenario and reason in REFUSALS}
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def overlaps(self, scenario: str) -> dict[str, int]:
        """Other scenario -> customers for whom both fired."""
        pairs: Counter[str] = Counter()
        for names in self._by_customer.values():
            for one, other in combinations(sorted(names), 2):
                if scenario in (one, other):
                    pairs[other if one == scenario else one] += 1
        return dict(sorted(pairs.items(), key=lambda item: (-item[1], item[0])))

    def _told(self, line: JournalLine) -> None:
        self._digest.update(encode_json(line))
        if line.at >= self._since:
            self.reasons[line.scenario, line.reason] += 1

    def _fired(self, trigger: Trigger) -> None:
        if trigger.fired_at < self._since:
            return
        kept = self.samples.setdefault(trigger.scenario, [])
        if len(kept) < self._most:
            kept.append(trigger)
        self.cost[trigger.scenario] += self._prices.get(trigger.cascade[0].channel, 0.0)  # type: ignore[assignment]
        if trigger.customer in self._by_customer or len(self._by_customer) < MOST_CUSTOMERS:
            self._by_customer.setdefault(trigger.customer, set()).add(trigger.scenario)


REFUSALS = frozenset(Reason) - {
    Reason.ARMED, Reason.MOVED, Reason.FIRED, Reason.NEXT_STAGE, Reason.REACTED, Reason.ENDED_BY_ORDER,
    Reason.ENDED_BY_EMPTIED_CART, Reason.ENDED_BY_EVENT, Reason.ENDED_BY_MERGE, Reason.GOAL_REACHED,
    Reason.JOURNEY_BEGUN, Reason.JOURNEY_WAITS, Reason.JOURNEY_EXITED, Reason.JOURNEY_ENDED, Reason.ENDED_BY_SEGMENT,
    Reason.BRANCH_TAKEN, Reason.WAITED_IN_VAIN, Reason.ARM_DRAWN, Reason.NOTED, Reason.TEAM_TOLD,
    Reason.BOUGHT_AFTER, Reason.GOAL_AFTER, Reason.GOAL_UNDONE, Reason.ATTRIBUTED, Reason.ASSOCIATED, Reason.REATTRIBUTED,
    Reason.REFUNDED, Reason.GOAL_ATTRIBUTED, Reason.GOAL_ASSOCIATED,
}  # fmt: skip
"""Reasons that keep what was armed from being said."""
ENDINGS = (
    Reason.ENDED_BY_ORDER, Reason.ENDED_BY_EMPTIED_CART, Reason.ENDED_BY_EVENT, Reason.ENDED_BY_MERGE, Reason.GOAL_REACHED,
    Reason.JOURNEY_EXITED, Reason.JOURNEY_ENDED, Reason.ENDED_BY_SEGMENT,
)  # fmt: skip
"""Reasons that end what was armed or fired, because what it waited for has happened."""
