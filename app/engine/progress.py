"""Whether a worker gets on: how long records have waited for it, and how long it has come no nearer to work. Pure."""

from collections import defaultdict
from collections.abc import Hashable, Mapping

STUCK_S = 20.0
"""A worker that applies nothing for so long, although there is something to read, is stuck. With looks, questions and the end of the
process this stays below half a minute."""
LONGEST_LOOK = 3.0
"""A look counts for no more seconds than this: a process that was stopped or had no CPU is slow, not stuck."""
STANDSTILL_S = 300.0
"""A worker that is not ready and comes no nearer to it for so long is stuck. What may be waited for in good order is shorter: a member
whose session ends (10 s), a rebalance (60 s), a transaction that somebody left open (30 s), and a request that is asked again (30 s)."""

Input = tuple[str, int]
"""Topic (without prefix) and partition."""


class Progress:
    """For how long each input has had something to read of which nothing was applied.

    A lag that does not grow counts as well: it only says that no more came, and what waits, waits for ever. So does an input
    that stands still while others get on.
    """

    def __init__(self) -> None:
        self._applied: dict[Input, int] = {}
        self._waited: defaultdict[Input, float] = defaultdict(float)
        self._silent = 0.0

    def look(self, seconds: float, inputs: Mapping[Input, tuple[int, int]]) -> float:
        """Seconds that the input which waits longest has waited. `inputs`: (last offset applied, end); `seconds` since the last look."""
        self._silent = 0.0
        return self._stands(min(seconds, LONGEST_LOOK), inputs)

    def silence(self, seconds: float, inputs: Mapping[Input, tuple[int, int]]) -> float:
        """Nobody tells the ends, although the broker is there; returns for how many seconds now, or what an input has waited.

        The ends of `inputs` are those that were known last: what was there to read then still is.
        """
        seconds = min(seconds, LONGEST_LOOK)
        moved = any(self._applied.get(key, applied) != applied for key, (applied, _) in inputs.items())
        # a broker that answers slowly is no reason to end who gets on
        self._silent = 0.0 if moved else self._silent + seconds
        return max(self._silent, self._stands(seconds, inputs))

    def _stands(self, seconds: float, inputs: Mapping[Input, tuple[int, int]]) -> float:
        for key, (applied, end) in inputs.items():
            stands = self._applied.get(key) == applied and applied + 1 < end
            self._waited[key] = self._waited[key] + seconds if stands else 0.0
        self._applied = {key: applied for key, (applied, _) in inputs.items()}
        self._waited = defaultdict(float, {key: self._waited[key] for key in inputs})
        return max(self._waited.values(), default=0.0)

    def reset(self) -> None:
        """Partitions have changed, or are being restored."""
        self._applied.clear()
        self._waited.clear()
        self._silent = 0.0


class Standstill:
    """For how long a worker that is not ready has come no nearer to it.

    A restore that gets on may take as long as it likes; so may a group that is shared out again and again.
    """

    def __init__(self) -> None:
        self._place: Hashable = None
        self._seconds = 0.0

    def look(self, seconds: float, place: Hashable) -> float:
        """Seconds without a change of `place`: all that moves on the way to work. `seconds` since the last look."""
        if place == self._place:
            self._seconds += min(seconds, LONGEST_LOOK)
        else:
            self._place, self._seconds = place, 0.0
        return self._seconds

    def reset(self) -> None:
        """It works, or what it waits for is not its own to mend."""
        self._place, self._seconds = None, 0.0
