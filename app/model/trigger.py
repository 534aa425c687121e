"""What goes to the `outbox` topic: triggers, cancellations of triggers that are not yet handed over, and changes of alerts."""

from hashlib import blake2b

import msgspec

from app.model.alert import Alert, AlertUpdate
from app.model.event import Line

CONFIRMATION = "confirm_consent"
"""Scenario and template of the mail that asks for a confirmation of a consent."""


class Stage(msgspec.Struct, gc=False, omit_defaults=True, frozen=True):
    """One way to speak: over `channel` with `template`."""

    channel: str
    template: str


class Delivery(msgspec.Struct, gc=False, omit_defaults=True, frozen=True):
    """Delivery to where the customer lives is free from `free_from`; `left` is what the cart lacks (0: nothing, or it is not known)."""

    region: str
    free_from: float
    currency: str = ""
    left: float = 0.0
    reached: bool = False
    """What the message is about is worth that much."""
    hints: dict[str, str] = {}
    """Language -> the shop's own sentence."""


class Bonus(msgspec.Struct, gc=False, omit_defaults=True, frozen=True):
    """A bonus of the customer that can be used until the day `until`, such as 2026-05-17; `worth` is as the shop tells it."""

    until: str
    worth: str | float = ""


class Content(msgspec.Struct, gc=False, omit_defaults=True):
    """What a template may show. Lists are bounded by the core."""

    name: str = ""
    items: list[Line] = []
    similar: list[Line] = []
    category: str = ""
    query: str = ""
    results: int | None = None
    value: float = 0.0
    currency: str = ""
    order_id: str = ""
    traits: dict[str, str | float | bool] = {}
    """What steps of scenarios, or the shop, set of the customer beside his profile."""
    tags: list[str] = []
    slots: list[float] = []
    """Times that can be booked (epoch seconds)."""
    booking: str = ""
    """The address at which they are; of the shop where it begins with a slash."""
    delivery: Delivery | None = None
    """None: it is not known where the customer lives, or the shop tells nothing of it."""
    bonus: Bonus | None = None
    """Set where it comes first for this customer."""


class Trigger(msgspec.Struct, gc=False, omit_defaults=True, tag="trigger", tag_field="kind"):
    """A scenario fired for a customer, or the next stage of its cascade has come. Times are epoch seconds.

    `due` is when the absence became true, or the wait of the stage before was over (grace not included), `fired_at` the clock when
    it was decided, `expires_at` the moment after which it must not be sent any more. `stage` is the stage's number, and `cascade`
    the ways in which it may be spoken: the first whose channel is on is taken. All stages have the same `trigger_id`.
    `caps` are the frequency windows by channel in seconds, `cap` that of all channels that are missing there (0: no cap).
    """

    trigger_id: str
    scenario: str
    version: int
    customer: str
    anchor: str
    due: float
    fired_at: float
    expires_at: float
    cascade: list[Stage]
    addresses: dict[str, str]
    content: Content
    step: int = 0
    locale: str = ""
    timezone: str = ""
    marketing: bool = True
    cap: float = 0.0
    consent_at: dict[str, float] = {}
    """Channel -> when the consent that this stands on was given: lifts an older unsubscribe. Missing: nothing is lifted."""
    alert: Alert | None = None
    """Set where the message is for the sales team. Such a trigger is never marketing; `addresses` are the team's."""
    stage: int = 0
    caps: dict[str, float] = {}
    quiet: str = ""
    """What quiet hours, by the clock of `timezone`, do with it: `hold`, `drop`, or nothing (empty)."""
    confirm_until: float = 0.0
    """Set where the message asks its reader to confirm a consent: until when that works. `cap` is how seldom an address is asked."""


class Cancel(msgspec.Struct, gc=False, omit_defaults=True, tag="cancel", tag_field="kind"):
    """Do not send `trigger_id` any more, if it has not been handed over yet. `reason` is a `Reason`."""

    trigger_id: str
    customer: str
    reason: str
    at: float
    event_id: str = ""


class Erasure(msgspec.Struct, gc=False, omit_defaults=True, tag="erase", tag_field="kind"):
    """Forget the messages of `customer`, and what is known of these addresses (keys of the ledger, which hold digests)."""

    customer: str
    at: float
    addresses: list[str] = []


class Suppressed(msgspec.Struct, gc=False, omit_defaults=True):
    """An address (the ledger's key, which holds a digest) at which nothing, or no marketing, may be said. `reason` is a `Reason`."""

    key: str
    reason: str
    at: float
    everything: bool = False


class Suppress(msgspec.Struct, gc=False, omit_defaults=True, tag="suppress", tag_field="kind"):
    """Take these addresses into the suppression list; `lifted`: take them out of it. Written to every partition by an operator."""

    entries: list[Suppressed]
    lifted: bool = False


Outgoing = Trigger | Cancel | AlertUpdate | Erasure | Suppress


def trigger_id(scenario: str, version: int, customer: str, anchor: str, step: int) -> str:
    """The trigger's identity: the same decision always gets the same id. 32 hexadecimal digits."""
    words = f"{scenario}\x1f{version}\x1f{customer}\x1f{anchor}\x1f{step}"
    return blake2b(words.encode(), digest_size=16).hexdigest()


ALERTS = "a1e27a1e"
"""What the ids of alerts to the team begin with, and of others one in four thousand million."""


def alert_id(scenario: str, version: int, customer: str, anchor: str, step: int) -> str:
    """The trigger's identity of a message to the team: what a provider tells of it says nothing of the customer."""
    return ALERTS + trigger_id(scenario, version, customer, anchor, step)[len(ALERTS) :]


def message_id(trigger: str, stage: int) -> str:
    """Identity of the message of one stage; also the ledger's key and the local part of the e-mail's Message-ID."""
    return f"{trigger}.{stage}"
