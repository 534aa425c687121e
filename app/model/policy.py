"""What the shop allows itself: how often, when, to whom not, and for how much. Pure; `agents/policy.py` reads the file.

Durations are seconds, moments of the day minutes since midnight, shares fractions of one, prices in the shop's currency.
"""

from collections.abc import Mapping
from functools import cached_property

import msgspec

HOUR, DAY = 3_600.0, 86_400.0
CHANNELS = ("email", "sms", "whatsapp", "telegram", "vk", "webpush", "fcm", "webhook")
"""Channels over which customers can be spoken to."""


class Which(msgspec.Struct, frozen=True, gc=False):
    """Some messages: those of these channels, topics and scenarios. What is empty says nothing."""

    channels: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    scenarios: frozenset[str] = frozenset()

    def covers(self, channel: str, topic: str, scenario: str) -> bool:
        """Whether a message is one of these."""
        return (
            (not self.channels or channel in self.channels)
            and (not self.topics or topic in self.topics)
            and (not self.scenarios or scenario in self.scenarios)
        )


class Cap(msgspec.Struct, frozen=True, gc=False):
    """At most `most` messages that count, per `seconds` or per calendar `days` of the customer, for what obeys it."""

    most: int
    seconds: float = 0.0
    days: int = 0
    """Calendar days, today included; then `seconds` says nothing."""
    counts: Which = Which()
    obeys: Which = Which()
    transactional: bool = False
    """Whether messages that are not marketing count too. They never obey."""

    @property
    def reach(self) -> float:
        """How far back it looks, at the most: a day has up to 25 hours."""
        return self.days * 25 * HOUR if self.days else self.seconds


def one_per(seconds: float, *channels: str) -> Cap:
    """The plain rule: one message over these channels within `seconds`."""
    which = Which(frozenset(channels))
    return Cap(1, seconds, counts=which, obeys=which)


class Quiet(msgspec.Struct, frozen=True, gc=False):
    """Hours of the customer's day in which these channels are silent. `start` after `end` is over midnight."""

    start: int
    end: int
    channels: frozenset[str] = frozenset()
    """Empty: all."""
    drop: bool = False
    """Whether what falls into them is dropped instead of held, where the scenario does not say."""


class Confirm(msgspec.Struct, frozen=True, gc=False):
    """Consents that count only once whoever owns the address has confirmed them from a mail (double opt-in)."""

    consents: frozenset[str]
    """`email` for the whole channel with all its topics, `email:news` for one topic."""
    within: float = 2 * DAY
    """How long the link of the mail works."""
    again: float = 30 * DAY
    """At most one such mail to an address in this time, unless it was answered."""

    def covers(self, consent: str) -> bool:
        """Whether this consent needs a confirmation."""
        return consent in self.consents or consent.partition(":")[0] in self.consents


class AttributionWindow(msgspec.Struct, frozen=True, gc=False):
    """When an order may be owed to a message: so long after the customer's touch, which is at least `by`."""

    by: str
    """`sent`, `delivered`, `opened` or `clicked`: each later one is a touch too."""
    within: float
    """So long a touch counts, and so long after the sending one may come; 0: orders are not owed to this channel."""


class FreeDelivery(msgspec.Struct, frozen=True, gc=False):
    """From what sum an order is delivered for nothing, and the sentence that says so by language; without one the templates have their own."""

    free_from: float
    hints: dict[str, str] = {}


TOUCHES = ("sent", "delivered", "opened", "clicked")
"""What may count as a touch, the weakest first."""


def _windows() -> dict[str, AttributionWindow]:
    days, day = AttributionWindow("sent", 5 * DAY), AttributionWindow("sent", DAY)
    pushed = dict.fromkeys(("webpush", "fcm"), day)
    return {**dict.fromkeys(CHANNELS, days), **pushed, "email": AttributionWindow("opened", 5 * DAY)}


class Policy(msgspec.Struct, frozen=True, dict=True):
    """All of it. The defaults are those of `app/policy.yaml`; a test compares them."""

    zone: str = "UTC"
    """Time zone of the shop: where nobody knows the customer's, and whose days budgets are counted in."""
    cities: dict[str, str] = {}
    """City, in lower case -> time zone."""
    caps: tuple[Cap, ...] = (
        one_per(16 * HOUR, "email"),
        one_per(DAY, "sms"),
        one_per(DAY, "whatsapp"),
        one_per(DAY, "webpush", "fcm"),
        one_per(DAY, "telegram"),
        one_per(DAY, "vk"),
    )
    quiet: Quiet | None = Quiet(21 * 60, 9 * 60, frozenset({"sms", "whatsapp", "telegram", "vk", "webpush", "fcm"}))
    control: float = 0.0
    """Share of all customers who get nothing that is marketing."""
    goal_within: float = 7 * DAY
    """An order so long after a scenario fired is noted as its goal, of recipients and the control group alike."""
    currency: str = ""
    prices: dict[str, float] = {}
    """Channel -> price of one unit (an SMS segment; elsewhere a message)."""
    sms_units: int = 1
    """Segments of the SMS that a cascade is compared with."""
    budgets: dict[str, float] = {}
    """Scenario -> what it may cost a day; `*`: every other one."""
    confirm: Confirm | None = None
    """None: a consent counts at once."""
    attribution: dict[str, AttributionWindow] = msgspec.field(default_factory=_windows)
    """Channel -> when an order may be owed to a message over it."""
    delivery: dict[str, FreeDelivery] = {}
    """Region or city, in lower case -> when delivery is free there."""

    @property
    def horizon(self) -> float:
        """How far back any cap looks."""
        return max((cap.reach for cap in self.caps), default=0.0)

    @property
    def sends_known_for(self) -> float:
        """How long a message is remembered: caps look back to it, or an order may be owed to it."""
        return max((self.horizon, *(2 * window.within for window in self.attribution.values())))

    @property
    def counts_transactional(self) -> bool:
        """Whether any cap counts messages that are not marketing."""
        return any(cap.transactional for cap in self.caps)

    @property
    def without_mailboxes(self) -> "Policy":
        """The same where a consent counts at once: for tries and recordings, in which nobody reads a mail that asks for it."""
        return msgspec.structs.replace(self, confirm=None) if self.confirm is not None else self

    @cached_property
    def windows(self) -> Mapping[str, float]:
        """By channel the window in which one message over it is the most, whatever it is about; a channel without one is not in it.

        It is the one that the sender can hold by the address alone. Each message asks for it, and a policy never changes.
        """
        ones = [cap for cap in self.caps if cap.most == 1]
        found = {name: [cap.seconds for cap in ones if _is_of_channel(cap, name)] for name in CHANNELS}
        return {name: max(seconds) for name, seconds in found.items() if seconds}

    @property
    def by_sms(self) -> float:
        """What a trigger would cost as one SMS."""
        return self.sms_units * self.prices.get("sms", 0.0)

    def budget_of(self, scenario: str) -> float | None:
        """What the scenario may cost a day; None: whatever it does."""
        return self.budgets.get(scenario, self.budgets.get("*"))


def _is_of_channel(cap: Cap, channel: str) -> bool:
    both = (cap.counts, cap.obeys)
    return not cap.days and all(not w.topics and not w.scenarios and w.covers(channel, "", "") for w in both)
