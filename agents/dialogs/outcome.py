"""What is decided about a customer's dialogs, and what it is decided of. Pure."""

from typing import NamedTuple

import msgspec

from app.model.alert import AlertUpdate, DialogView
from app.model.journal import JournalLine
from app.model.link import Claim, Release
from app.model.trigger import Trigger
from tables.customer import Customer
from tables.dialog import Dialog


class Outcome(msgspec.Struct, gc=False):
    """What was decided. `wake_at` (epoch seconds) is when the dialogs want to be looked at again; None: never."""

    fired: list[Trigger] = []
    updates: list[AlertUpdate] = []
    claims: list[Claim] = []
    releases: list[Release] = []
    reasons: list[JournalLine] = []
    views: dict[str, DialogView | None] = {}
    """Dialog -> its row on the board; None: it leaves."""
    wake_at: float | None = None


class Matter(NamedTuple):
    """Whose dialogs, at what moment (epoch seconds), because of which event, and where what is decided goes."""

    key: str
    customer: Customer
    at: float
    event_id: str
    out: Outcome

    def journal(
        self, reason: str, dialog: Dialog, scenario: str = "", alert_id: str = "", due: float = 0.0, **more: str | float
    ) -> None:
        """Write a line about a dialog; `more` are the values behind it."""
        detail: dict[str, str | float | int] = {"dialog": dialog.key, **more}
        line = JournalLine(self.at, self.key, reason, scenario, alert_id, self.event_id, due=due, detail=detail)
        self.out.reasons.append(line)
