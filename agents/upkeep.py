"""What every partition has beside its customers: rows with timers for schedules and for its ranking. Pure."""

from agents.decide import Decider
from agents.rankings import Rankings
from agents.schedules import Schedules
from agents.sweeps import Sweeps
from tables.customer import Row, Schedule
from tables.ranking import Ranking
from tables.step import Step


class Upkeep:
    """Sees to these rows, as far as what runs needs them."""

    def __init__(self, decider: Decider, sweeps: Sweeps) -> None:
        self._schedules, self.rankings = Schedules(decider, sweeps), Rankings(decider, sweeps)
        self._decider = decider
        self._kept: dict[int, object] = {}
        """Partition -> for what it was looked after: something that is new whenever other scenarios or segments are taken."""

    def __bool__(self) -> bool:
        """Whether anything needs such a row."""
        return bool(self._schedules or self.rankings)

    def wants(self, partition: int) -> bool:
        """Whether a partition is to be looked after: it was just opened, or other scenarios or segments run."""
        return self._kept.get(partition) is not self._decider.kept

    def keep(self, step: Step, at: float) -> None:
        """Have the rows that are needed, as of `at` (epoch seconds)."""
        self._schedules.keep(step, at)
        self.rankings.keep(step, at)
        self._kept[step.partition] = self._decider.kept

    def begin(self, step: Step) -> None:
        """A step begins."""
        if self._decider.members.ranked:
            self.rankings.stand(step)

    def come(self, step: Step, key: str, row: Row | None, at: float) -> None:
        """The timer of a row came up; it is `at` (epoch seconds)."""
        if type(row) is Schedule:
            self._schedules.come(step, key, row, at)
        elif type(row) is Ranking:
            self.rankings.come(step, row, at)

    def forget(self, partition: int) -> None:
        """What is known of a partition beside its rows counts no more: it is restored."""
        self._kept.pop(partition, None)
        self.rankings.forget(partition)

    def end(self) -> None:
        """Begin nothing any more: history is over, and only what has begun comes due."""
        self._schedules.end()
        self.rankings.end()
