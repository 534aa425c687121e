"""How the sender runs. Pure."""

from collections.abc import Mapping

import msgspec

from app.model.alert import AlertState
from app.model.policy import Policy
from app.model.trigger import Trigger


class Rules(msgspec.Struct):
    """How the sender runs: on the wall clock or in stream time, and the channels that are on.

    The policy is another one after a change of its file, between two steps. `shows`: which states of an alert a channel can show after the fact. `partitions` share what the policy lets a scenario spend.
    """

    live: bool
    channels: frozenset[str]
    shows: Mapping[str, frozenset[AlertState]] = {}
    policy: Policy = Policy()
    partitions: int = 1

    def moment(self, trigger: Trigger, now: float) -> float:
        """The ledger's time for a message: in stream time everything is said at the moment it was decided."""
        return now if self.live else trigger.fired_at
