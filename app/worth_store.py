"""What the journal knows of the worth of scenarios: a row for each line that says something of it, and the sums over a time.

A row has the digest of its line, so that a line that is delivered twice counts once. `entered_at` is when the scenario had come due, for
goals and for the customers of both groups; of all else it is `at`. `number` and `amount` are below 0 where something is taken back.
With `app/journal_store.py` and the schema the only user of SQLAlchemy.
"""

from typing import Any

import sqlalchemy as sa

from app.explain import Tone, tone_of
from app.journal_schema import worth as _worth
from app.model.journal import JournalLine
from app.model.reasons import Reason
from app.worth import CONTROL, RECIPIENTS, Sums

MOST_ROWS = 10_000
"""Sums that one query returns."""
OWED = ("attributed", "associated", "goal_attributed", "goal_associated")
_GOALS = {Reason.BOUGHT_AFTER: 1, Reason.GOAL_AFTER: 1, Reason.GOAL_UNDONE: -1}
_OWED = {Reason.ATTRIBUTED: 1, Reason.REATTRIBUTED: -1, Reason.REFUNDED: -1}
_OTHERS = {Reason.GOAL_ATTRIBUTED: "goal_attributed", Reason.GOAL_ASSOCIATED: "goal_associated"}
_TOLD = {"opened": "opened", "clicked": "clicked", "replied": "clicked"}


def fact_of(line: JournalLine, row: dict[str, Any]) -> dict[str, Any] | None:
    """The row that a line is worth, from its own stored `row`; None: it says nothing of worth."""
    if not line.scenario:
        return None
    found = _fact(line)
    if found is None:
        return None
    fact = {name: row[name] for name in ("digest", "at", "scenario", "customer", "channel")}
    return (
        fact | {"entered_at": line.at, "member": "", "currency": "", "subject": "", "number": 1, "amount": 0.0} | found
    )


def _fact(line: JournalLine) -> dict[str, Any] | None:
    detail, reason = line.detail, line.reason
    if reason == Reason.FIRED:
        return {"kind": "entered", "member": RECIPIENTS}
    if reason == Reason.CONTROL_GROUP and "items" in detail:  # of a first stage: later ones say which stage
        return {"kind": "entered", "member": CONTROL}
    if reason in (Reason.SENT, Reason.AMBIGUOUS) or (reason == Reason.RECEIPT and "attempt" in detail):
        return {"kind": "sent", "subject": _word(detail.get("message_id")), "amount": _money(detail.get("price"))}
    if reason == Reason.RECEIPT:
        kind = _TOLD.get(str(detail.get("outcome")))
        return {"kind": kind, "subject": _word(detail.get("message"))} if kind else None
    if reason in _OTHERS:
        return _of_order(line, Reason(reason)) | {"kind": _OTHERS[Reason(reason)]}
    if reason in _GOALS or reason in _OWED or reason == Reason.ASSOCIATED:
        return _of_order(line, Reason(reason))
    return {"kind": "held", "subject": _word(reason)} if tone_of(reason) is Tone.HELD else None


def _of_order(line: JournalLine, reason: Reason) -> dict[str, Any]:
    detail = line.detail
    sign = {**_GOALS, **_OWED}.get(reason, 1)
    whole = detail.get("whole", 1)
    fact = {
        "subject": _word(detail.get("order")),
        "currency": _word(detail.get("currency")),
        "number": sign if whole else 0,
        "amount": sign * _money(detail.get("value")),
    }
    if reason not in _GOALS:
        return fact | {"kind": "attributed" if reason in _OWED else "associated"}
    member = RECIPIENTS if detail.get("group") == RECIPIENTS else CONTROL
    fired_at = _money(detail.get("fired_at")) or line.at
    return fact | {"kind": "goal", "member": member, "entered_at": fired_at, "channel": _word(detail.get("goal"))}


def _word(value: object) -> str:
    return str(value or "")[:300].replace("\x00", "\ufffd")


def _money(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def sums(connection: sa.Connection, since: float, until: float) -> Sums:
    """The sums from `since` up to `until` (epoch seconds); of goals those of customers for whom it came due in that time."""

    def rows(query: sa.Select[Any]) -> list[Any]:
        return list(connection.execute(query.limit(MOST_ROWS)))

    col, add = _worth.c, sa.func.sum
    named = (col.scenario, col.member)
    entered = _of(since, until, "entered", *named, sa.func.count(col.customer.distinct()), sa.func.count())
    buyer = _of(
        since, until, "goal", *named, col.customer, add(col.number).label("n"), sa.func.max(col.channel).label("goal")
    )
    buyer_ = buyer.group_by(*named, col.customer).subquery()
    spender = _of(since, until, "goal", *named, col.currency, col.customer, add(col.amount).label("spent"))
    spender_ = spender.group_by(*named, col.currency, col.customer).subquery()
    message = _of(
        since,
        until,
        ("sent", "opened", "clicked"),
        col.scenario,
        col.channel,
        col.kind,
        col.subject,
        sa.func.max(col.amount).label("cost"),
    )
    message_ = message.group_by(col.scenario, col.channel, col.kind, col.subject).subquery()
    owed = (col.scenario, col.channel, col.currency, col.kind)
    bought = sa.case((buyer_.c.n > 0, 1), else_=0)
    return Sums(
        {row[:2]: (int(row[2]), int(row[3])) for row in rows(entered.group_by(*named))},
        {row[:2]: (int(row[2]), int(row[3]), str(row[4])) for row in rows(
            _grouped(buyer_, 2, add(bought), add(buyer_.c.n), sa.func.max(buyer_.c.goal)))},
        {row[:3]: (float(row[3]), float(row[4])) for row in rows(
            _grouped(spender_, 3, add(spender_.c.spent), add(spender_.c.spent * spender_.c.spent)))},
        {row[:3]: (int(row[3]), float(row[4])) for row in rows(_grouped(message_, 3, sa.func.count(), add(message_.c.cost)))},
        {row[:4]: (int(row[4]), float(row[5])) for row in rows(
            _of(since, until, OWED, *owed, add(col.number), add(col.amount)).group_by(*owed))},
        {row[:2]: int(row[2]) for row in rows(
            _of(since, until, "held", col.scenario, col.subject, sa.func.count()).group_by(col.scenario, col.subject))},
    )  # fmt: skip


def _of(since: float, until: float, kinds: str | tuple[str, ...], *what: Any) -> sa.Select[Any]:
    """What to select of the rows of some kinds and a time."""
    names = (kinds,) if isinstance(kinds, str) else kinds
    return sa.select(*what).where(_worth.c.kind.in_(names), _worth.c.entered_at >= since, _worth.c.entered_at < until)


def _grouped(inner: sa.Subquery, keys: int, *what: Any) -> sa.Select[Any]:
    """Sums over `inner` by its first columns."""
    first = list(inner.c)[:keys]
    return sa.select(*first, *what).group_by(*first)
