"""The board's rows: open dialogs in which somebody waits, the most at stake first. Pure: views in, rows out.

Rows live under their dialog's key, so whatever comes twice changes nothing. Pages get the whole list when they open or come back,
and from then on what has changed in it.
"""

import heapq
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from app.codec import decode_dialog_view
from app.model.alert import ENDED, AlertState, DialogView
from app.model.chat import Speaker
from channels.formats import money, web

MOST_SHOWN = 200
"""Rows of one page: nobody reads further down."""
MOST_MEMBERS = 200
NOBODY = "-"
"""Filter: dialogs that are no member's."""


def concerns(view: DialogView) -> bool:
    """Whether somebody has to do something about a dialog: the client waits, or there is an alert that has not ended."""
    alerted = bool(view.alert_id) and view.alert_state is not None and view.alert_state not in ENDED
    return alerted or view.waiting is Speaker.MANAGER


def stake(view: DialogView) -> tuple[Any, ...]:
    """Sorts rows: open ones before those that somebody has, then by priority, the cart's value and the time of waiting."""
    handled = view.alert_state in (AlertState.TAKEN, AlertState.SNOOZED)
    return handled, -view.priority, -view.value, view.since, view.dialog


class Board:
    """All open dialogs that concern somebody. `version` moves with each change."""

    def __init__(self) -> None:
        self.version = 0
        self._views: dict[str, DialogView] = {}
        self._sorted: dict[str, tuple[int, list[DialogView]]] = {}

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._views)

    def put(self, key: str, value: bytes | None) -> None:
        """Take a record of the topic over. One that cannot be read removes the row: nothing old may stay."""
        view: DialogView | None = None
        if value:
            try:
                view = decode_dialog_view(value)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                view = None
        if view is not None and concerns(view):
            self._views[key] = view
        elif self._views.pop(key, None) is None:
            return
        self.version += 1

    def clear(self) -> None:
        """Forget all rows: the topic begins anew."""
        self._views.clear()
        self.version += 1

    def get(self, dialog: str) -> DialogView | None:
        """A dialog that is on the board."""
        return self._views.get(dialog)

    def shown(self, member: str) -> list[DialogView]:
        """The first rows of a member's dialogs ("" for everybody's, `NOBODY` for those that are no member's)."""
        kept = self._sorted.get(member)
        if kept is None or kept[0] != self.version:
            if len(self._sorted) > MOST_MEMBERS:
                self._sorted.clear()
            kept = self.version, heapq.nsmallest(MOST_SHOWN, self._of(member), key=stake)
            self._sorted[member] = kept
        return kept[1]

    def _of(self, member: str) -> Iterator[DialogView]:
        if not member:
            return iter(self._views.values())
        wanted = "" if member == NOBODY else member
        return (view for view in self._views.values() if owner(view)[0] == wanted)

    def states(self, now: float) -> Counter[str]:
        """How many dialogs wait for a manager, wait for the client, have an alert by its state, and are past a deadline."""
        counts: Counter[str] = Counter(total=len(self._views))
        for view in self._views.values():
            if view.waiting is not None:
                counts["manager_awaited" if view.waiting is Speaker.MANAGER else "client_silent"] += 1
            if view.alert_id and view.alert_state is not None and view.alert_state not in ENDED:
                counts[f"alert_{view.alert_state.value}"] += 1
            if any(line.due < now for line in view.deadlines):
                counts["breached"] += 1
        return counts

    def members(self) -> list[tuple[str, str, int]]:
        """Whose dialogs there are: id, name, how many; by name."""
        counts: dict[str, tuple[str, int]] = {}
        for view in self._views.values():
            id_, name = owner(view)
            counts[id_] = (name, counts.get(id_, ("", 0))[1] + 1)
        found = [(id_ or NOBODY, name, count) for id_, (name, count) in counts.items()]
        return sorted(found, key=lambda item: (item[0] == NOBODY, item[1].lower(), item[0]))[:MOST_MEMBERS]


def owner(view: DialogView) -> tuple[str, str]:
    """Id and name of whose dialog it is: who took it, else the member, else the manager at the provider; empty: nobody's."""
    if view.taken_by:
        return view.taken_by, view.taken_by_name or view.taken_by
    if view.member:
        return view.member, view.manager_name or view.member
    return view.manager, view.manager_name or view.manager


def row(view: DialogView) -> dict[str, Any]:
    """A row for the page's script: values, no markup."""
    due = min((line.due for line in view.deadlines), default=0.0)
    alerted = view.alert_state is not None and view.alert_state not in ENDED
    return {
        "dialog": view.dialog,
        "customer": view.customer,
        "who": view.who or "A client",
        "provider": view.provider,
        "url": web(view.url),
        "owner": owner(view)[1],
        "status": view.status.value,
        "waiting": view.waiting.value if view.waiting else "",
        "since": view.since,
        "words": [{"speaker": word.speaker.value, "text": word.text[:300]} for word in view.words[-2:]],
        "due": due,
        "watch": next((line.watch.value for line in view.deadlines if line.due == due), ""),
        "alert": view.alert_id if alerted else "",
        "state": view.alert_state.value if alerted and view.alert_state else "",
        "alerted": view.alert_watch.value if alerted and view.alert_watch else "",
        "level": view.level,
        "by": view.taken_by_name or view.taken_by,
        "until": view.snoozed_until,
        "priority": view.priority,
        "note": f"on the site again: {view.note}".removesuffix(": ") if view.returned_at > 0 else view.note,
        "value": money(view.value, view.currency, "en") if view.value else "",
        "items": view.items,
        "orders": view.orders,
        "spent": money(view.orders_total, view.currency, "en") if view.orders else "",
        "seen": view.last_seen,
        "tags": view.tags[:8],
    }


class Page:
    """What one open page has been told, so that it is told only what has changed."""

    def __init__(self, member: str) -> None:
        self.member = member
        self._version = -1
        self._order: list[str] = []
        self._rows: dict[str, DialogView] = {}
        self._members: list[tuple[str, str, int]] | None = None

    def changes(self, board: Board) -> dict[str, Any] | None:
        """What the page has to change; None: nothing. The first time it is everything (`fresh`)."""
        if board.version == self._version:
            return None
        fresh, self._version = self._version < 0, board.version
        shown = board.shown(self.member)
        order = [view.dialog for view in shown]
        rows = [row(view) for view in shown if self._rows.get(view.dialog) is not view]
        members = board.members()
        told: dict[str, Any] = {"total": len(board)}
        if fresh:
            told["fresh"] = True
        if rows or fresh:
            told["rows"] = rows
        if order != self._order or fresh:
            told["order"] = order
        if members != self._members:
            told["members"] = members
        self._order, self._members = order, members
        self._rows = {view.dialog: view for view in shown}
        return told
