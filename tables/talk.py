"""What happens in a dialog, applied to its state. Pure: changes the dialog in place and answers with what it means.

Time of the event decides what is older and newer. At the same second the record that comes later counts as later.
"""

from collections.abc import Callable
from enum import StrEnum

from app.model.alert import Watch
from app.model.chat import ChatEvent, ChatKind, DialogStatus, Speaker, bounded
from tables.dialog import NAME, TAG, TAGS, TEXT, TEXT_BYTES, Dialog
from tables.hours import BusinessHours

URL = 300
ID = 120


class Sign(StrEnum):
    """What an event means for the alerts of a dialog."""

    CLIENT_SPOKE = "client_spoke"
    MANAGER_SPOKE = "manager_spoke"
    CLOSED = "closed"
    CHANGED = "changed"
    NOTHING = "nothing"


BEGINS = frozenset({ChatKind.MESSAGE, ChatKind.OPENED, ChatKind.ASSIGNED})
"""Kinds that a dialog which is not known begins with."""


def begin(event: ChatEvent, key: str) -> Dialog:
    """A dialog that is heard of for the first time."""
    return Dialog(key, event.at, _id_of(event), status_at=event.at, changed_at=event.at)


def heard(dialog: Dialog, event: ChatEvent, hours: BusinessHours) -> Sign:
    """Apply an event. A repeated one means nothing."""
    if not dialog.note(event.event_id):
        return Sign.NOTHING
    dialog.changed_at = max(dialog.changed_at, event.at)
    _describe(dialog, event)
    return _HANDLERS[event.kind](dialog, event, hours)


def _describe(dialog: Dialog, event: ChatEvent) -> None:
    if event.name and (event.speaker is Speaker.CLIENT or not dialog.name):
        dialog.name = bounded(event.name, NAME)
    if event.url and len(event.url) <= URL:
        dialog.url = event.url
    if event.tags is not None:
        dialog.tags = [bounded(tag, TAG) for tag in event.tags[:TAGS]] or None


def _said(dialog: Dialog, event: ChatEvent, hours: BusinessHours) -> Sign:
    if event.speaker is Speaker.CLIENT:
        return _client_said(dialog, event)
    if event.speaker is Speaker.MANAGER and not event.automatic:
        return _manager_said(dialog, event, hours)
    return Sign.NOTHING


def _client_said(dialog: Dialog, event: ChatEvent) -> Sign:
    at = event.at
    answered = dialog.manager_at > at
    if at >= dialog.client_at:
        told = answered and dialog.is_settled(Watch.SILENT_CLIENT)
        dialog.client_at, dialog.client_id, dialog.client_text = at, _id_of(event), short(event.text)
        if told:  # it is heard of late: the silence after it is the one that is known
            dialog.settle(Watch.SILENT_CLIENT)
    if answered or (dialog.over and at <= dialog.status_at):
        return Sign.CHANGED
    if dialog.over:  # opened again: what was promised for the last time is over
        dialog.opened_at, dialog.opened_id, dialog.work_spent = at, _id_of(event), 0.0
    if dialog.status is not DialogStatus.OPEN and at >= dialog.status_at:
        dialog.status, dialog.status_at = DialogStatus.OPEN, at
    if not dialog.asked_at:
        dialog.asked_at, dialog.asked_id, dialog.wait_spent = at, _id_of(event), 0.0
    _run(dialog, at)
    return Sign.CLIENT_SPOKE


def _manager_said(dialog: Dialog, event: ChatEvent, hours: BusinessHours) -> Sign:
    at = event.at
    newest = at >= dialog.manager_at
    if newest:
        dialog.manager_at, dialog.manager_text = at, short(event.text)
    if event.manager and (not dialog.manager or (newest and dialog.manager == event.manager)):
        dialog.manager, dialog.manager_name = event.manager[:ID], bounded(event.manager_name, NAME)
    if dialog.asked_at and at >= dialog.asked_at:
        _answered(dialog, at, hours)
        if at < dialog.client_at:  # an answer to something before the client's last word
            dialog.asked_at, dialog.asked_id = dialog.client_at, dialog.client_id
            _run(dialog, dialog.client_at)
            return Sign.CHANGED
    if at < dialog.client_at:
        return Sign.CHANGED
    return Sign.MANAGER_SPOKE if newest else Sign.CHANGED


def _answered(dialog: Dialog, at: float, hours: BusinessHours) -> None:
    """The client's wait is over at `at`."""
    _stop(dialog, at, hours)
    if dialog.first_response < 0:
        dialog.first_response = dialog.wait_spent
    dialog.next_response = dialog.wait_spent
    dialog.asked_at, dialog.asked_id, dialog.wait_spent = 0.0, "", 0.0


def _run(dialog: Dialog, at: float) -> None:
    """Start the clock of a client who waits, unless it runs."""
    if dialog.status is DialogStatus.OPEN and dialog.asked_at and not dialog.run_at:
        dialog.run_at = at


def _stop(dialog: Dialog, at: float, hours: BusinessHours) -> None:
    """Stop the clock at `at` and keep what it has run."""
    if dialog.run_at:
        spent = hours.between(dialog.run_at, at)
        dialog.wait_spent += spent
        dialog.work_spent += spent
        dialog.run_at = 0.0


def change_status(dialog: Dialog, status: DialogStatus, at: float, hours: BusinessHours) -> Sign:
    """The dialog stands elsewhere since `at`. What is older than the present status changes nothing."""
    if at < dialog.status_at or status is dialog.status:
        return Sign.NOTHING
    if status is DialogStatus.RESOLVED and at < dialog.client_at:
        return _opened_again(dialog)
    if dialog.status is DialogStatus.RESOLVED:
        dialog.opened_at, dialog.opened_id, dialog.work_spent = at, str(at), 0.0
    dialog.status, dialog.status_at = status, at
    if status is DialogStatus.OPEN:
        _run(dialog, at)
        return Sign.CHANGED
    _stop(dialog, at, hours)
    if status is not DialogStatus.RESOLVED:
        return Sign.CHANGED
    dialog.asked_at, dialog.asked_id, dialog.wait_spent, dialog.snoozed_until = 0.0, "", 0.0, 0.0
    return Sign.CLOSED


def _opened_again(dialog: Dialog) -> Sign:
    """It was closed, which is heard of after the client's next word: that word has opened it again, and waits since then alone."""
    at, word = dialog.client_at, dialog.client_id
    dialog.status, dialog.status_at = DialogStatus.OPEN, at
    dialog.opened_at, dialog.opened_id, dialog.work_spent = at, word, 0.0
    dialog.run_at = 0.0
    if dialog.asked_at:
        dialog.asked_at, dialog.asked_id, dialog.wait_spent = at, word, 0.0
        _run(dialog, at)
    return Sign.CHANGED


def _opened(dialog: Dialog, event: ChatEvent, hours: BusinessHours) -> Sign:
    change_status(dialog, DialogStatus.OPEN, event.at, hours)
    return Sign.CHANGED


def _closed(dialog: Dialog, event: ChatEvent, hours: BusinessHours) -> Sign:
    return change_status(dialog, DialogStatus.RESOLVED, event.at, hours)


def _stands(dialog: Dialog, event: ChatEvent, hours: BusinessHours) -> Sign:
    return Sign.NOTHING if event.status is None else change_status(dialog, event.status, event.at, hours)


def _assigned(dialog: Dialog, event: ChatEvent, _hours: BusinessHours) -> Sign:
    if event.at < dialog.assigned_at:
        return Sign.NOTHING
    dialog.assigned_at = event.at
    dialog.manager, dialog.manager_name = event.manager[:ID], bounded(event.manager_name, NAME)
    return Sign.CHANGED


def _consented(_dialog: Dialog, _event: ChatEvent, _hours: BusinessHours) -> Sign:
    return Sign.NOTHING


_HANDLERS: dict[ChatKind, Callable[[Dialog, ChatEvent, BusinessHours], Sign]] = {
    ChatKind.MESSAGE: _said,
    ChatKind.OPENED: _opened,
    ChatKind.CLOSED: _closed,
    ChatKind.STATUS: _stands,
    ChatKind.ASSIGNED: _assigned,
    ChatKind.CONSENT: _consented,
}


def short(text: str) -> str:
    """The beginning of a text, as much as state keeps of a word."""
    kept = bounded(text, TEXT)
    while len(kept.encode()) > TEXT_BYTES:
        kept = kept[: len(kept) * TEXT_BYTES // len(kept.encode()) - 1] + "…"
    return kept


def _id_of(event: ChatEvent) -> str:
    return (event.message_id or event.event_id)[:ID]
