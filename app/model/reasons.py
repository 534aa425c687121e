"""Named reasons: why something was armed, held, refused, cancelled, sent or not. A closed vocabulary.

Each member's value is what the journal, the metrics' `reason` label and the docs show.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a decision was taken. Grouped by who takes it."""

    __hash__ = str.__hash__  # that of an enumeration is written in Python, and every decision is counted by its reason

    # the core, while events are applied
    ARMED = "armed"
    MOVED = "moved"
    ENDED_BY_ORDER = "ended_by_order"
    ENDED_BY_EMPTIED_CART = "ended_by_emptied_cart"
    ENDED_BY_EVENT = "ended_by_event"
    ENDED_BY_MERGE = "ended_by_merge"
    HISTORICAL = "historical"
    LINKED = "linked"
    LINK_REFUSED = "link_refused_two_users"
    MOVED_AWAY = "state_moved"
    FORWARDED = "forwarded"
    CONSENT_CHANGED = "consent_changed"
    STATE_BOUNDED = "state_bounded"
    # the core, when a timer comes due
    FIRED = "fired"
    OUTRANKED = "outranked"
    ONE_PER_SILENCE = "one_per_silence"
    RECENT_ORDER = "recent_order"
    CAP = "frequency_cap"
    NO_CONSENT = "no_consent"
    NO_ADDRESS = "no_address"
    SUPPRESSED = "suppressed"
    REENTRY = "reentry"
    CONDITION = "condition_not_met"
    TOO_LATE = "too_late"
    SCENARIO_GONE = "scenario_gone"
    DECISION_FAILED = "decision_failed"
    SCENARIO_STOPPED = "scenario_stopped"
    # the core, about the later stages of a cascade
    NEXT_STAGE = "next_stage"
    REACTED = "reacted"
    CASCADE_ENDED = "cascade_ended"
    CASCADE_SUPERSEDED = "cascade_superseded"
    # dialogs and their alerts
    ENDED_BY_ANSWER = "ended_by_answer"
    ENDED_BY_MANAGER = "ended_by_manager"
    ENDED_BY_CLOSING = "ended_by_closing"
    HELD_BY_DIALOG = "held_by_dialog"
    JOINED = "joined"
    TAKEN = "taken"
    SNOOZED = "snoozed"
    SNOOZE_OVER = "snooze_over"
    DISMISSED = "dismissed"
    ESCALATED = "escalated"
    CLIENT_RETURNED = "client_returned"
    DIALOG_FORGOTTEN = "dialog_forgotten"
    UNKNOWN_ALERT = "unknown_alert"
    # on request
    ERASED = "erased"
    # the sender
    GOAL_REACHED = "goal_reached"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    EXPIRED = "expired"
    SENT = "sent"
    RETRY = "retry"
    REJECTED = "rejected"
    RETRIES_EXHAUSTED = "retries_exhausted"
    MISCONFIGURED = "misconfigured"
    RENDER_FAILED = "render_failed"
    AMBIGUOUS = "ambiguous"
    DUPLICATE = "duplicate"
    CHANNEL_DISABLED = "channel_disabled"
    BAD_ADDRESS = "bad_address"
    UNSUBSCRIBED = "unsubscribed"
    RECEIPT = "receipt"
    OVERLOADED = "sender_overloaded"
    TOO_LATE_TO_CANCEL = "too_late_to_cancel"
    ALERT_CHANGED = "alert_changed"
    SUPERSEDED = "superseded"


class BadInput(StrEnum):
    """Why a record or an event is a dead letter, or an event was refused by the collector."""

    NOT_JSON = "not_json"
    NOT_UTF8 = "not_utf8"
    WRONG_TYPE = "wrong_type"
    MISSING_ID = "missing_id"
    BAD_ID = "bad_id"
    MISSING_EVENT = "missing_event"
    UNKNOWN_TYPE = "unknown_type"
    BAD_TIMESTAMP = "bad_timestamp"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    TOO_MANY_LINES = "too_many_lines"
    NEGATIVE_PRICE = "negative_price"
    NOT_FINITE = "not_finite"
    DUPLICATE_KEYS = "duplicate_keys"
    MISSING_DIALOG = "missing_dialog"
    MISSING_TIME = "missing_time"
    BAD_RECORD = "bad_record"
    HANDLER_FAILED = "handler_failed"
