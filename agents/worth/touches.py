"""Which messages have touched a customer before an order, by the windows of the policy. Pure.

A touch is the last thing known to have happened with a message until then that is strong enough: it was sent, delivered, opened, clicked.
"""

from collections.abc import Iterable
from typing import NamedTuple

from app.model.policy import TOUCHES, Policy
from app.model.receipt import Outcome
from tables.customer import Sent

_FIELDS = {
    Outcome.SENT: "sent_at",
    Outcome.AMBIGUOUS: "sent_at",
    Outcome.DELIVERED: "delivered_at",
    Outcome.OPENED: "opened_at",
    Outcome.CLICKED: "clicked_at",
    Outcome.REPLIED: "clicked_at",
}
"""Outcome -> where its moment is kept. A message that nobody knows whether it was sent counts as sent, as it does for caps."""


class Touch(NamedTuple):
    """A message that has touched the customer: `by` what (`TOUCHES`) and when."""

    sent: Sent
    by: str
    at: float

    @property
    def message(self) -> tuple[str, int]:
        """Trigger and stage: what names a message."""
        return self.sent.trigger_id, self.sent.stage


def is_touch(outcome: Outcome) -> bool:
    """Whether a receipt of this kind tells of a touch."""
    return outcome in _FIELDS


def note(sent: Sent, outcome: Outcome, at: float) -> bool:
    """Note a touch at `at` (epoch seconds). Of each kind the first counts, in whatever order they are told. Whether it is news."""
    name = _FIELDS[outcome]
    known, moment = getattr(sent, name), int(at)
    if known and known <= moment:
        return False
    setattr(sent, name, moment)
    return True


def touches(sends: Iterable[Sent] | None, at: float, policy: Policy) -> list[Touch]:
    """The messages that may have brought an order at `at` (epoch seconds), the last touch first. Marketing only."""
    found = [touch for sent in sends or () if sent.marketing and (touch := _touch(sent, at, policy)) is not None]
    return sorted(found, key=lambda touch: (touch.at, touch.sent.at, *touch.message), reverse=True)


def _touch(sent: Sent, at: float, policy: Policy) -> Touch | None:
    """The last touch by a message until `at`, if its window is still open then."""
    window = policy.attribution.get(sent.channel)
    if window is None or not window.within:
        return None
    began = sent.sent_at or int(sent.at)
    moments = (sent.sent_at, sent.delivered_at, sent.opened_at, sent.clicked_at)
    if not any(moments):  # a row of before, which knows no more
        moments = (began, 0, 0, 0)
    last = None
    for by, moment in list(zip(TOUCHES, moments, strict=True))[TOUCHES.index(window.by) :]:
        if moment and moment <= at and moment <= began + window.within and (last is None or moment >= last.at):
            last = Touch(sent, by, float(moment))
    return last if last is not None and at <= last.at + window.within else None
