"""What somebody of the team says, done to the dialog: take, snooze, dismiss, resolve. Pure."""

from app.model.alert import AlertState, Watch
from app.model.chat import ChatCommand, CommandKind, DialogStatus
from app.model.reasons import Reason
from tables.dialog import Dialog
from tables.hours import BusinessHours
from tables.talk import change_status

SHORTEST_SNOOZE, LONGEST_SNOOZE = 60.0, 30 * 86_400.0


def is_repeated(dialog: Dialog, command: ChatCommand) -> bool:
    """Whether the command has been done before; notes it if not."""
    return not dialog.note(command.event_id)


def is_stale(dialog: Dialog, command: ChatCommand) -> bool:
    """Whether the command is about an alert that the dialog no longer has, or pressed on one that has ended.

    What runs now is another episode, which whoever presses below an old message has not seen; taking over is the dialog's.
    """
    if not command.alert:
        return False
    live = dialog.alert
    if live is None or live.alert_id != command.alert:
        return True
    return not live.live and not command.dialog and command.kind is not CommandKind.TAKE


def done(dialog: Dialog, command: ChatCommand, hours: BusinessHours) -> Reason:
    """Do a command; its reason. What it says of an alert that has ended changes nothing there."""
    match command.kind:
        case CommandKind.TAKE:
            dialog.taken_by, dialog.taken_name = command.by, command.by_name
            _say(dialog, AlertState.TAKEN, command)
            return Reason.TAKEN
        case CommandKind.SNOOZE:
            dialog.snoozed_until = command.at + min(max(command.seconds, SHORTEST_SNOOZE), LONGEST_SNOOZE)
            _say(dialog, AlertState.SNOOZED, command, dialog.snoozed_until)
            return Reason.SNOOZED
        case CommandKind.DISMISS:
            dialog.settle(*(watch for watch in Watch if dialog.running(watch) is not None))
            _say(dialog, AlertState.DISMISSED, command)
            return Reason.DISMISSED
        case CommandKind.RESOLVE:
            change_status(dialog, DialogStatus.RESOLVED, command.at, hours)
            dialog.settle(*Watch)
            _say(dialog, AlertState.RESOLVED, command)
            return Reason.ENDED_BY_CLOSING


def _say(dialog: Dialog, state: AlertState, command: ChatCommand, until: float = 0.0) -> None:
    live = dialog.alert
    if live is not None and live.live:
        live.state, live.by, live.by_name, live.until = state, command.by, command.by_name, until
