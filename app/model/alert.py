"""What the sales team is told: alerts and their changes on the `outbox`, and the board's rows on `dialogs`. Times are epoch seconds."""

from enum import StrEnum

import msgspec

from app.model.chat import DialogStatus, Speaker
from app.model.event import Line

WORDS = 2
"""The last words of client and manager that an alert shows."""


class Watch(StrEnum):
    """What a dialog scenario watches for."""

    SILENT_CLIENT = "silent_client"
    FIRST_RESPONSE = "first_response"
    NEXT_RESPONSE = "next_response"
    RESOLUTION = "resolution"


class AlertState(StrEnum):
    """Where an alert stands. The last two are its end."""

    OPEN = "open"
    TAKEN = "taken"
    SNOOZED = "snoozed"
    DISMISSED = "dismissed"
    RESOLVED = "resolved"


ENDED = frozenset({AlertState.DISMISSED, AlertState.RESOLVED})


class Word(msgspec.Struct, gc=False, omit_defaults=True):
    """Something that was said; the text is cut."""

    speaker: Speaker
    at: float
    text: str


class Alert(msgspec.Struct, gc=False, omit_defaults=True):
    """What an alert shows: who, since when, the last words, and what is at stake. Lists and texts are bounded by the core.

    `alert_id` is the episode's: all messages of one alert (its first, the escalations) have the same one, and its buttons name
    it. `priority` is 0 (usual) to 3 (look now); `level` how often it was escalated.
    """

    alert_id: str
    watch: Watch | None
    """None: no dialog is watched, a step of a scenario tells of the customer; `title` is what it says."""
    dialog: str
    """Key of the dialog (`app.model.chat.dialog_key`); empty: it is of none, and no button can be pressed."""
    provider: str
    since: float
    """Since when it is silent."""
    to: str = ""
    """Id of the member of the team that this message is for; empty: the whole team."""
    who: str = ""
    manager: str = ""
    manager_name: str = ""
    url: str = ""
    words: list[Word] = []
    tags: list[str] = []
    cart: list[Line] = []
    value: float = 0.0
    currency: str = ""
    views: list[Line] = []
    searches: list[str] = []
    orders: int = 0
    orders_total: float = 0.0
    last_seen: float = 0.0
    """When the client was last on the site; 0: never."""
    priority: int = 0
    level: int = 0
    note: str = ""
    """What the client has looked at since: the name of a product."""
    returned_at: float = 0.0
    """When the client came back to the site since the alert; 0: not."""
    title: str = ""
    phone: str = ""
    """Where the customer is called."""
    template: str = ""
    """What makes `title` and `note`, where the sender is to; else they stand here."""


class AlertUpdate(msgspec.Struct, gc=False, omit_defaults=True, tag="alert_update", tag_field="kind"):
    """The message of trigger `trigger_id` shows an alert that has changed. One record for each message of the alert.

    If the message has not been handed over yet and `state` is an end, it must not be sent any more. If it has, it is edited,
    or answered where the channel cannot edit. `reason` is a `Reason`; `alert` is what the message shows from now on.
    """

    trigger_id: str
    customer: str
    alert_id: str
    state: AlertState
    reason: str
    at: float
    event_id: str = ""
    by: str = ""
    by_name: str = ""
    until: float = 0.0
    """When a snooze ends."""
    alert: Alert | None = None

    @property
    def ends(self) -> bool:
        """Whether nobody has to do anything about the alert any more."""
        return self.state in ENDED


class Deadline(msgspec.Struct, gc=False, omit_defaults=True):
    """When a watch of a dialog comes due; the board counts down to it."""

    watch: Watch
    scenario: str
    due: float


class DialogView(msgspec.Struct, gc=False, omit_defaults=True):
    """One open dialog as the board shows it: the newest record of each key (the dialog's) on the compacted topic `dialogs`.

    A record without a value is the last one of a dialog: the row leaves the board.
    """

    dialog: str
    customer: str
    at: float
    provider: str = ""
    url: str = ""
    who: str = ""
    manager: str = ""
    """Id at the provider; `member` is the id in the team, if he is one."""
    manager_name: str = ""
    member: str = ""
    status: DialogStatus = DialogStatus.OPEN
    tags: list[str] = []
    opened_at: float = 0.0
    last_speaker: Speaker | None = None
    last_at: float = 0.0
    waiting: Speaker | None = None
    """Whose word is awaited, since `since`: the client is silent, or waits for a manager; None: nobody's."""
    since: float = 0.0
    words: list[Word] = []
    first_response: float | None = None
    """Business seconds until the first answer; None: there is none yet."""
    next_response: float | None = None
    """Business seconds until the last answer."""
    deadlines: list[Deadline] = []
    alert_id: str = ""
    alert_watch: Watch | None = None
    alert_state: AlertState | None = None
    alerted_at: float = 0.0
    level: int = 0
    taken_by: str = ""
    taken_by_name: str = ""
    snoozed_until: float = 0.0
    priority: int = 0
    note: str = ""
    returned_at: float = 0.0
    value: float = 0.0
    """What is at stake: the cart's value."""
    currency: str = ""
    items: int = 0
    orders: int = 0
    orders_total: float = 0.0
    last_seen: float = 0.0
