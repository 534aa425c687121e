"""What scenarios bring, counted for the metrics from the journal's lines as they are written. Pure."""

from collections import Counter

from agents.worth.goals import RECIPIENTS
from app.model.journal import JournalLine
from app.model.reasons import Reason

CONTROL = "control"
_OWED = {
    Reason.ATTRIBUTED: "attributed",
    Reason.ASSOCIATED: "associated",
    Reason.REATTRIBUTED: "taken_back",
    Reason.REFUNDED: "taken_back",
}
_GOALS_OWED = {Reason.GOAL_ATTRIBUTED: "attributed", Reason.GOAL_ASSOCIATED: "associated"}
_GOALS = frozenset({Reason.BOUGHT_AFTER, Reason.GOAL_AFTER})
COUNTED = frozenset({Reason.FIRED, Reason.CONTROL_GROUP, Reason.GOAL_UNDONE, *_GOALS, *_OWED, *_GOALS_OWED})
"""Reasons of the lines that count."""


class Tally:
    """Counts since the shell last took them."""

    def __init__(self) -> None:
        self.entered: Counter[tuple[str, str]] = Counter()
        """(scenario, group)."""
        self.goals: Counter[tuple[str, str]] = Counter()
        """(scenario, group)."""
        self.undone: Counter[tuple[str, str]] = Counter()
        """(scenario, group) of goals that were given back whole."""
        self.owed: Counter[tuple[str, str, str]] = Counter()
        """(scenario, channel, part): part is attributed, associated or taken_back."""
        self.goals_owed: Counter[tuple[str, str, str]] = Counter()
        """Likewise, of goals other than orders: attributed or associated."""
        self.revenue: dict[tuple[str, str, str], float] = {}
        """(scenario, channel, currency) -> what attributed orders, and goals that have a value, came to."""
        self.back: dict[tuple[str, str, str], float] = {}
        """Likewise, what of it was taken back."""

    def note(self, line: JournalLine) -> None:
        """Count a line, if it says anything of worth."""
        reason, detail = line.reason, line.detail
        if reason not in COUNTED:
            return
        if reason == Reason.FIRED:
            self.entered[line.scenario, RECIPIENTS] += 1
        elif reason == Reason.CONTROL_GROUP:
            if "items" in detail:  # of a first stage: nobody enters by a later one
                self.entered[line.scenario, CONTROL] += 1
        elif reason in _GOALS:
            self.goals[line.scenario, _group(line)] += 1
        elif reason == Reason.GOAL_UNDONE:
            self.undone[line.scenario, _group(line)] += int(bool(detail["whole"]))
        elif reason in _GOALS_OWED:
            self._owe(line, _GOALS_OWED[Reason(reason)], self.goals_owed)
        else:
            self._owe(line, _OWED[Reason(reason)], self.owed)

    def _owe(self, line: JournalLine, part: str, counts: Counter[tuple[str, str, str]]) -> None:
        detail = line.detail
        if detail.get("whole", 1):
            counts[line.scenario, line.channel, part] += 1
        if part != "associated" and "value" in detail:
            sums = self.revenue if part == "attributed" else self.back
            key = (line.scenario, line.channel, str(detail["currency"]))
            sums[key] = sums.get(key, 0.0) + float(detail["value"])

    def clear(self) -> None:
        """Begin anew."""
        for counts in (self.entered, self.goals, self.undone, self.owed, self.goals_owed, self.revenue, self.back):
            counts.clear()


def _group(line: JournalLine) -> str:
    return RECIPIENTS if line.detail.get("group") == RECIPIENTS else CONTROL
