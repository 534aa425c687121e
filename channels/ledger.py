"""The ledger: what has been said, is being said and will not be said. Pure: rows and the one table of their transitions.

Keys of rows: `m:<message id>` a message, `m:<message id>.<digest>` a change of the alert that it shows, `c:<trigger id>` a cancellation that its message must still meet, `a:<channel>:<digest>`
an address, `b:<scenario>:<day>` what a scenario has spent. Times are epoch seconds of the ledger's clock, except `next_at`, which is the wall clock.
"""

from enum import StrEnum
from hashlib import blake2b

import msgspec

from app.model.receipt import ARRIVED, Outcome
from channels.address import digest

DAY = 86_400.0
KEEP_SETTLED = 30 * DAY
"""How long a settled message is known, and with it its duplicates are recognised."""
KEEP_CANCELLED = 2 * DAY
"""How long a cancellation waits for a trigger that comes after it."""
KEEP_CHANGE = DAY
"""How long a change of an alert may wait for its provider."""
KEEP_ADDRESS = 60 * DAY
"""How long the last send to an address is known; a suppression is kept for good."""
MOST_STAGES = 8
"""Stages of a cascade that have messages."""

_BITS = {
    Outcome.DELIVERED: 1,
    Outcome.OPENED: 2,
    Outcome.CLICKED: 4,
    Outcome.REPLIED: 8,
    Outcome.BOUNCED: 16,
    Outcome.COMPLAINED: 32,
    Outcome.UNSUBSCRIBED: 64,
    Outcome.FAILED: 128,
}
"""What others tell of a message -> its bit in `Message.told`. The numbers are the format of the changelog."""
_ARRIVED = sum(_BITS[outcome] for outcome in ARRIVED)


class State(StrEnum):
    """Where a message stands."""

    CLAIMED = "claimed"
    INFLIGHT = "inflight"
    SENT = "sent"
    FAILED = "failed"
    AMBIGUOUS = "ambiguous"
    SKIPPED = "skipped"


class Move(StrEnum):
    """What can happen to a message."""

    SPEAK = "speak"
    ACCEPT = "accept"
    POSTPONE = "postpone"
    FAIL = "fail"
    REFUSE = "refuse"
    LOSE = "lose"
    REPEAT = "repeat"


TRANSITIONS: dict[tuple[State, Move], State] = {
    (State.CLAIMED, Move.SPEAK): State.INFLIGHT,  # written before the irreversible moment
    (State.CLAIMED, Move.POSTPONE): State.CLAIMED,  # refused for now, before that moment
    (State.CLAIMED, Move.FAIL): State.FAILED,  # refused for good, before that moment
    (State.CLAIMED, Move.REFUSE): State.SKIPPED,  # held back by one of our gates
    (State.INFLIGHT, Move.ACCEPT): State.SENT,
    (State.INFLIGHT, Move.POSTPONE): State.CLAIMED,  # the provider said "not now": it does not have it
    (State.INFLIGHT, Move.FAIL): State.FAILED,  # the provider said "never": it does not have it
    (State.INFLIGHT, Move.LOSE): State.AMBIGUOUS,  # nobody said anything
    (State.AMBIGUOUS, Move.REPEAT): State.CLAIMED,  # transactional messages only
    (State.AMBIGUOUS, Move.ACCEPT): State.SENT,  # a receipt proved that it arrived
}
"""All of them; anything else is a mistake in the program."""

UNSETTLED = frozenset({State.CLAIMED, State.INFLIGHT})


class IllegalMove(AssertionError):  # noqa: N818 - says what happened
    """A transition that is not in the table."""


class Shown(msgspec.Struct, array_like=True, gc=False):
    """What is kept of an alert's message as long as the message is known, so that it can be changed later.

    `ref` is the provider's id of it, `changes` how often its alert has changed; of a change, which of them it is.
    """

    address: str
    locale: str = ""
    ref: str = ""
    changes: int = 0


class Message(msgspec.Struct, array_like=True, gc=False, tag="m"):
    """One message. `payload` is the trigger's JSON while the message is unsettled, and dropped afterwards.

    `attempt` counts the attempts that are known to have failed, and tells one grant from the next; `put_off` of them were put off
    by a provider who named the time, and do not count against the most that a message gets. `deadline` is when the row next needs attention: while
    unsettled the message's expiry, afterwards the time at which the row is forgotten.
    """

    state: State
    channel: str
    stage: int
    customer: str
    scenario: str
    payload: bytes
    deadline: float
    updated_at: float
    attempt: int = 0
    next_at: float = 0.0
    reason: str = ""
    marketing: bool = True
    wake: float = 0.0
    shown: Shown | None = None
    """Set for an alert to the sales team, and for the changes of one."""
    put_off: int = 0
    to: bytes = b""
    """Digest of the customer's address, for receipts that do not name it; empty for an alert."""
    told: int = 0
    """Which outcomes receipts have told of it, a bit each (`_BITS`)."""
    price: float = 0.0
    """What the message costs, once it was granted; given back when the provider did not take it."""

    def move(self, move: Move, at: float, reason: str = "") -> None:
        """Make one transition, or raise IllegalMove and change nothing."""
        state = TRANSITIONS.get((self.state, move))
        if state is None:
            raise IllegalMove(f"{self.state} cannot {move}")
        self.state = state
        self.updated_at = at
        self.reason = reason

    def tell(self, outcome: Outcome) -> bool:
        """Note a receipt. Whether it is the first of its kind."""
        before = self.told
        self.told |= _BITS[outcome]
        return self.told != before

    @property
    def arrived(self) -> bool:
        """Whether a receipt has proved that the customer has it."""
        return bool(self.told & _ARRIVED)

    def settle(self, at: float) -> None:
        """Drop what was needed for sending; the row is forgotten later."""
        self.payload = b""
        self.next_at = 0.0
        self.deadline = at + KEEP_SETTLED


class Cancelled(msgspec.Struct, array_like=True, gc=False, tag="c"):
    """A trigger that must not be sent, if it ever comes or comes back from a failed attempt."""

    reason: str
    at: float
    deadline: float
    wake: float = 0.0


class Standing(msgspec.Struct, array_like=True, gc=False, tag="a"):
    """What we know of an address in one channel: the last marketing send and the last question for a confirmation (`fired_at` of their triggers), and whether it is suppressed.

    `suppressed` is "" or a `Reason`; `everything` tells whether transactional messages are held back too (a mailbox that does
    not exist), or marketing only (an unsubscribe or a complaint).
    """

    last_marketing: float = 0.0
    suppressed: str = ""
    suppressed_at: float = 0.0
    everything: bool = False
    deadline: float = 0.0
    wake: float = 0.0
    last_asked: float = 0.0


class Spent(msgspec.Struct, array_like=True, gc=False, tag="b"):
    """What the messages of a scenario have cost on one day, in this partition."""

    amount: float = 0.0
    deadline: float = 0.0
    wake: float = 0.0


Row = Message | Cancelled | Standing | Spent


def message_key(message_id: str) -> str:
    """Key of a message's row."""
    return "m:" + message_id


def change_key(shown: str, state: str, at: float, event_id: str) -> str:
    """Key of a change of the alert that the message of row `shown` shows: the same change always has the same one."""
    words = f"{state}\x1f{at!r}\x1f{event_id}"
    return f"{shown}.{blake2b(words.encode(), digest_size=8).hexdigest()}"


def shown_key(key: str) -> str:
    """Key of the message that a change is about; "" where the key is not a change's."""
    first, _, last = key.rpartition(".")
    return first if "." in first and last else ""


def cancel_key(trigger_id: str) -> str:
    """Key of a cancellation's row."""
    return "c:" + trigger_id


def address_key(channel: str, address: str) -> str:
    """Key of an address's row: no address in clear stands in the ledger beyond the payload of unsettled messages."""
    return f"a:{channel}:{digest(address)}"


def known_address(address: str) -> bytes:
    """What a message's row keeps of the address that it goes to."""
    return bytes.fromhex(digest(address)) if address else b""


def known_address_key(channel: str, known: bytes) -> str:
    """Key of the row of an address of which only the digest is known."""
    return f"a:{channel}:{known.hex()}"


def budget_key(scenario: str, day: str) -> str:
    """Key of a scenario's account of a day (as 2026-12-31)."""
    return f"b:{scenario}:{day}"


def deadline_of(row: Row) -> float | None:
    """When the row next needs attention (None: never), from which the timer index is rebuilt."""
    if isinstance(row, Message) and row.state in UNSETTLED:
        return None
    return row.deadline or None
