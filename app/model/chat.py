"""What is said in messengers: records of the `chat` topic, keyed by the client (`ChatEvent.client`, `command_key`).

One vocabulary for all providers. The webhooks have already checked where a record comes from, corrected its time and bounded
its texts; texts never go to logs or metric labels.
"""

from enum import StrEnum

import msgspec

from app.model.event import ALERT, DIALOG

MOST_TEXT = 4_000
"""Characters of a message on the topic; state and alerts keep less."""
MOST_NAME = 200
"""Characters of names, ids, tags and of the key of a client or a dialog."""
MOST_URL = 1_000
"""Characters of a link."""
MOST_TAGS = 8


class Speaker(StrEnum):
    """Who spoke, or did it."""

    CLIENT = "client"
    MANAGER = "manager"
    BOT = "bot"
    SYSTEM = "system"


class ChatKind(StrEnum):
    """What happened in a dialog."""

    MESSAGE = "message"
    OPENED = "opened"
    CLOSED = "closed"
    STATUS = "status"
    ASSIGNED = "assigned"
    CONSENT = "consent"


class DialogStatus(StrEnum):
    """Where a dialog stands at its provider. `pending` waits for the client, `snoozed` for its hour: no clock runs then."""

    OPEN = "open"
    PENDING = "pending"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"


class ChatEvent(msgspec.Struct, gc=False, omit_defaults=True, tag="chat", tag_field="type"):
    """One thing that happened in one dialog. Times are epoch seconds.

    `client` is the key of the customer: `client_key(...)`, or `customer_key(...)` where the site knows the visitor. All events
    of one dialog must have the same one. `event_id` is the provider's, unique within (provider, source).
    """

    provider: str
    source: str
    dialog: str
    client: str
    kind: ChatKind
    at: float
    event_id: str
    received_at: float = 0.0
    speaker: Speaker = Speaker.SYSTEM
    message_id: str = ""
    text: str = ""
    automatic: bool = False
    """An auto-greeting or an away message: said in the manager's name, and no answer."""
    manager: str = ""
    """Id of the manager at the provider: who spoke, or whom the dialog is assigned to ("" with `assigned`: nobody)."""
    manager_name: str = ""
    status: DialogStatus | None = None
    """With `status`: the new one."""
    granted: bool | None = None
    """With `consent`: whether the client may be written to over `provider`."""
    tags: list[str] | None = None
    """The dialog's tags where the provider tells them all; None: not told."""
    url: str = ""
    """Link into the dialog at the provider, where it tells one."""
    name: str = ""
    """The client's name, as the provider shows it."""
    phone: str = ""
    """E.164, and only where the provider vouches for it: it links the dialog to that customer."""
    email: str = ""
    """Only where the provider vouches for it: it links the dialog to that customer."""
    user_id: str = ""
    """The shop's own id of the client, and only where it came with a proof."""


class CommandKind(StrEnum):
    """What a sales person can say to an alert or a dialog."""

    TAKE = "take"
    SNOOZE = "snooze"
    DISMISS = "dismiss"
    RESOLVE = "resolve"


class ChatCommand(msgspec.Struct, gc=False, omit_defaults=True, tag="command", tag_field="type"):
    """A button on an alert, or on the board. Names an `alert`, or a `customer` and a `dialog` (its key, see `dialog_key`).

    `by` is the member's id in the team, `seconds` how long a snooze is.
    """

    kind: CommandKind
    at: float
    event_id: str
    by: str = ""
    by_name: str = ""
    alert: str = ""
    customer: str = ""
    dialog: str = ""
    seconds: float = 3_600.0


ChatRecord = ChatEvent | ChatCommand


def client_key(provider: str, source: str, client: str) -> str:
    """Key of a client whom only a messenger knows. `client` is what every event of the dialog tells of him."""
    return f"{DIALOG}{provider}:{source}:{client}"


def dialog_key(provider: str, source: str, dialog: str) -> str:
    """Key of a dialog among all dialogs."""
    return f"{provider}:{source}:{dialog}"


def alert_key(alert: str) -> str:
    """Key under which the customer of an alert is found."""
    return ALERT + alert


def command_key(command: ChatCommand) -> str:
    """Key of a command's record: its customer's, or its alert's, from where it is forwarded to the customer."""
    return command.customer or alert_key(command.alert)


def bounded(text: str, most: int = MOST_TEXT) -> str:
    """At most `most` characters of a text; what is cut off is shown by an ellipsis. Lone surrogates become `?`."""
    clean = text.encode("utf-8", "replace").decode()
    return clean if len(clean) <= most else clean[: most - 1] + "…"
