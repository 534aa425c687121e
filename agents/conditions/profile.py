"""Conditions on what the customer is: profile, consents, devices, segments, the event at hand, and the time of his day. Pure."""

from datetime import datetime, time, timedelta

from agents.conditions.alike import Alike
from agents.conditions.language import DAYS, Value
from agents.conditions.ranges import Range, shown
from agents.conditions.touched import CONSENT, DEVICES, EVENT, NOTED, PROFILE, SEEN_WITH, TIME, member
from agents.conditions.verdict import ALWAYS, NEVER, Facts, Verdict
from tables.engagement import Trait
from tables.profile import permission

QUARTER = 900
"""Seconds. Clocks of all zones differ by whole quarters of an hour, so that an hour begins with one of them."""


class Text(Alike):
    """Whether a value is there, or is one of several: texts are compared without regard to case."""

    __slots__ = ("_exists", "_values", "_words")

    def __init__(self, exists: bool | None, values: tuple[Value, ...]) -> None:
        self._exists = exists
        self._values = frozenset(_plain(value) for value in values)
        self._words = " or ".join(map(str, values)) if values else "known" if exists else "unknown"

    def holds(self, value: object) -> bool:
        """Whether the value is as asked; empty texts and None are no values."""
        there = value is not None and value != ""
        if self._exists is not None and there != self._exists:
            return False
        return not self._values or (there and _plain(value) in self._values)

    def told(self, name: str, value: object) -> str:
        """In a sentence."""
        return f"{name} is {value if value not in (None, '') else 'unknown'}, and is to be {self._words}"


def _plain(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


class OfProfile(Alike):
    """`{profile: city, is: Moscow}`."""

    reads = frozenset({PROFILE})
    __slots__ = ("_field", "_text")

    def __init__(self, field: str, text: Text) -> None:
        self._field, self._text = field, text

    def _value(self, facts: Facts) -> str:
        profile = facts.customer.profile
        return getattr(profile, self._field) if profile is not None else ""

    def holds(self, facts: Facts) -> Verdict:
        """Whether the field is as asked."""
        return ALWAYS if self._text.holds(self._value(facts)) else NEVER

    def told(self, facts: Facts) -> str:
        """In a sentence; addresses are not repeated."""
        value = self._value(facts)
        if self._field in ("email", "phone"):
            value = "known" if value else ""
        return self._text.told(f"the {self._field.replace('_', ' ')}", value)


class OfTrait(Alike):
    """`{trait: coupon, exists: true}` and `{trait: points, at_least: 100}`: what the shop told beside the profile, or a step set."""

    reads = frozenset({NOTED})
    __slots__ = ("_asked", "_name", "_text")

    def __init__(self, name: str, asked: Range, text: Text | None) -> None:
        self._name, self._asked, self._text = name, asked, text

    def _value(self, facts: Facts) -> Trait | None:
        engagement = facts.customer.engagement
        return ((engagement.traits if engagement is not None else None) or {}).get(self._name)

    def holds(self, facts: Facts) -> Verdict:
        """Whether the trait is as asked; of one that is no number no number holds."""
        value = self._value(facts)
        if self._text is not None:
            return ALWAYS if self._text.holds(value) else NEVER
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return ALWAYS if is_number and self._asked.holds(float(value or 0)) else NEVER

    def told(self, facts: Facts) -> str:
        """In a sentence."""
        value = self._value(facts)
        if self._text is not None:
            return self._text.told(f"the trait {self._name}", value)
        return f"the trait {self._name} is {'unknown' if value is None else value}, and is to be {self._asked.words}"


class Tagged(Alike):
    """`{tag: asleep}`: a step has put this tag on the customer."""

    reads = frozenset({NOTED})
    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def _is_on(self, facts: Facts) -> bool:
        engagement = facts.customer.engagement
        return self._name in ((engagement.tags if engagement is not None else None) or ())

    def holds(self, facts: Facts) -> Verdict:
        """Whether it is on."""
        return ALWAYS if self._is_on(facts) else NEVER

    def told(self, facts: Facts) -> str:
        """In a sentence."""
        return f"the customer has {'' if self._is_on(facts) else 'not '}the tag {self._name}"


class OfEvent(Alike):
    """`{event: total, at_least: 5000}`: a property of the event at hand; without an event it does not hold."""

    reads = frozenset({EVENT})
    __slots__ = ("_asked", "_field", "_text")

    def __init__(self, field: str, asked: Range, text: Text | None) -> None:
        self._field, self._asked, self._text = field, asked, text

    def holds(self, facts: Facts) -> Verdict:
        """Whether the property is as asked."""
        value = getattr(facts.event, self._field, None)
        if self._text is not None:
            return Verdict(self._text.holds(value))
        return Verdict(isinstance(value, int | float) and self._asked.holds(value))

    def told(self, facts: Facts) -> str:
        """In a sentence."""
        value = getattr(facts.event, self._field, None)
        if self._text is not None:
            return self._text.told(f"the event's {self._field}", value)
        return f"the event's {self._field} is {'unknown' if value is None else shown(value)}, and is to be {self._asked.words}"


class InSegment(Alike):
    """`{segment: loyal}`."""

    __slots__ = ("_name", "reads")

    def __init__(self, name: str) -> None:
        self._name = name
        self.reads = frozenset({member(name)})

    def holds(self, facts: Facts) -> Verdict:
        """Whether the customer is in the segment."""
        return Verdict(self._name in facts.segments, facts.segments_until)

    def told(self, facts: Facts) -> str:
        """In a sentence."""
        return f"the customer is {'' if self._name in facts.segments else 'not '}in segment {self._name}"


class Consented(Alike):
    """`{consent: email, is: refused}`."""

    reads = frozenset({CONSENT})
    __slots__ = ("_channel", "_topic", "_word")

    def __init__(self, channel: str, word: str) -> None:
        self._channel, _, self._topic = channel.partition(":")
        self._word = word

    def _said(self, facts: Facts) -> str:
        word = permission(facts.customer, self._channel, self._topic)
        return "unknown" if word is None else "granted" if word.granted else "refused"

    def holds(self, facts: Facts) -> Verdict:
        """Whether that is what was said."""
        return Verdict(self._said(facts) == self._word)

    def told(self, facts: Facts) -> str:
        """In a sentence."""
        return f"the consent to {self._channel} is {self._said(facts)}, and is to be {self._word}"


class HasDevice(Alike):
    """`{device: webpush}`: there is a device that can be pushed to."""

    reads = frozenset({DEVICES})
    __slots__ = ("_channel",)

    def __init__(self, channel: str) -> None:
        self._channel = channel

    def _has(self, facts: Facts) -> bool:
        profile = facts.customer.profile
        return any(
            device.channel == self._channel for device in (profile.devices if profile is not None else None) or ()
        )

    def holds(self, facts: Facts) -> Verdict:
        """Whether there is one."""
        return Verdict(self._has(facts))

    def told(self, facts: Facts) -> str:
        """In a sentence."""
        return f"a device for {self._channel} is {'known' if self._has(facts) else 'unknown'}"


class LastSeenWith(Alike):
    """`{device: kind, is: mobile}`: what the customer was last there with."""

    reads = frozenset({SEEN_WITH})
    __slots__ = ("_field", "_text")

    def __init__(self, field: str, text: Text) -> None:
        self._field, self._text = field, text

    def _value(self, facts: Facts) -> str:
        engagement = facts.customer.engagement
        device = engagement.seen_with if engagement is not None else None
        if device is None:
            return ""
        return device.kind if self._field == "kind" else device.system

    def holds(self, facts: Facts) -> Verdict:
        """Whether it is as asked."""
        return ALWAYS if self._text.holds(self._value(facts)) else NEVER

    def told(self, facts: Facts) -> str:
        """In a sentence."""
        return self._text.told(f"the {self._field} of the last device", self._value(facts))


class OfTime(Alike):
    """`{time: weekday, in: [sat, sun]}` and `{time: hour, at_least: 9, below: 18}`, in the customer's zone."""

    reads = frozenset({TIME})
    __slots__ = ("_asked", "_field", "_in")

    def __init__(self, field: str, asked: Range, among: tuple[str | float, ...]) -> None:
        self._field, self._asked = field, asked
        self._in = frozenset(DAYS.index(day) if isinstance(day, str) else int(day) for day in among)

    def _fits(self, number: int) -> bool:
        return self._asked.holds(number) and (not self._in or number in self._in)

    def holds(self, facts: Facts) -> Verdict:
        """Whether it is such a time; sure until the hour, or the day, is over."""
        local = datetime.fromtimestamp(facts.now, facts.zone)
        if self._field == "weekday":
            midnight = datetime.combine(local.date() + timedelta(1), time(), facts.zone)
            begins = [midnight.timestamp(), midnight.replace(fold=1).timestamp()]  # some days begin twice
            until = min((at for at in begins if at > facts.now), default=facts.now + QUARTER)
            return Verdict(self._fits(local.weekday()), until)
        until = facts.now // QUARTER * QUARTER + QUARTER
        while datetime.fromtimestamp(until, facts.zone).hour == local.hour:
            until += QUARTER
        return Verdict(self._fits(local.hour), until)

    def told(self, facts: Facts) -> str:
        """In a sentence."""
        local = datetime.fromtimestamp(facts.now, facts.zone)
        return f"it is {local:%a %H:%M} where the customer lives, which is {'' if self.holds(facts).value else 'not '}such a time"
