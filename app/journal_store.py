"""The journal in SQL: every decision with its reason, for people. SQLite beside the embedded servers, PostgreSQL by setting.

A line is stored once however often it is delivered: its digest covers the record's place and its bytes. (The place alone
would not do: a broker that was set up anew starts at offset 0 again, while this database lives on.)

All methods block; callers on an event loop use `asyncio.to_thread`. SQLAlchemy Core is used by this file, its schema and what stands beside it
(`journal_database.py`, `worth_store.py`) only.
"""

import json
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from importlib import import_module
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError, StatementError

from app.errors import JournalDownError, LineRefusedError
from app.journal_database import cause, engine
from app.journal_schema import lines as _lines
from app.journal_schema import links as _links
from app.journal_schema import metadata as _metadata
from app.journal_schema import worth as _worth
from app.model.event import ANONYMOUS, RESERVED_PREFIXES
from app.model.journal import JournalLine, StoredLine
from app.model.reasons import Reason
from app.under_way import BEGAN, LEAVING, STANDING, Seen
from app.worth import Sums
from app.worth_store import fact_of, sums

MAX_LINES = 10_000
"""Most lines that one query returns."""
SENT_WITHIN = 60.0
"""Seconds between a message at the relay and its line at the most, for `customer_of`."""
MOST_OF_JOURNEYS = 50_000
"""Most lines about journeys that one look reads."""
MAX_KEYS = 32
"""Most linked customer keys that one story joins."""
PRUNE_BATCH = 2_000
INSERT_BATCH = 2_000
LINKING = (Reason.LINKED, Reason.LINK_REFUSED, Reason.MOVED_AWAY)
"""Reasons of lines that name a second customer's key."""
TEXT_LIMIT = 1_000
"""Longest text stored in one column, in characters."""


class Place(NamedTuple):
    """Where a line came from, and the line. `raw` is the record's value; `n` tells lines of one record apart."""

    partition: int
    offset: int
    raw: bytes
    line: JournalLine
    n: int = 0


class JournalStore:
    """The tables and every query on them. Raises JournalDownError where the database fails."""

    def __init__(self, url: str) -> None:
        """Prepare for the database at an SQLAlchemy URL; it is connected to, and what is missing created, when first used.

        So a process whose work is not the journal starts without it. Raises JournalDownError for an unusable URL.
        """
        self._engine = engine(url)
        # the dialect in use alone: the other one takes 2 MB
        self._upsert = import_module(f"sqlalchemy.dialects.{self._engine.dialect.name}").insert
        self._where = sa.engine.make_url(url).render_as_string(hide_password=True)
        self._created = False

    def close(self) -> None:
        """Give back every connection."""
        self._engine.dispose()

    def insert(self, places: Sequence[Place]) -> None:
        """Store lines in one transaction; those already stored are passed over.

        Raises LineRefusedError when a line holds what the database cannot take: then none of them is stored.
        """
        if places:
            self._call(lambda connection: self._insert(connection, places))

    def for_customer(
        self, customer: str, scenario: str | None = None, until: float | None = None, limit: int = 500, before: int = 0
    ) -> list[StoredLine]:
        """The newest `limit` lines about a customer and the keys linked to it, oldest first.

        `until` is epoch seconds, inclusive; `before` is the number of a line: only lines ahead of it are returned. A bare
        id of which nothing is known is looked up as an anonymous visitor's too.
        """
        customer = _text(customer)

        def query(connection: sa.Connection) -> list[StoredLine]:
            keys = self._keys(connection, customer)
            found = self._story(connection, keys, scenario, until, limit, before)
            if not found and not customer.startswith(RESERVED_PREFIXES):
                keys = self._keys(connection, ANONYMOUS + customer)
                found = self._story(connection, keys, scenario, until, limit, before)
            return found

        result: list[StoredLine] = self._call(query)
        return result

    def keys_of(self, customer: str) -> list[str]:
        """The customer's key and every key linked to it, the asked one first."""
        result: list[str] = self._call(lambda connection: self._keys(connection, _text(customer)))
        return result

    def customer_of(self, trigger_id: str, sent_at: float) -> str:
        """Whom a message of about `sent_at` (epoch seconds) was sent to, or "" while that is not known."""
        query = sa.select(_lines.c.customer).where(
            _lines.c.at.between(sent_at - SENT_WITHIN, sent_at + SENT_WITHIN),
            _lines.c.reason == Reason.SENT,
            _lines.c.trigger_id == _text(trigger_id),
        )
        found = self._call(lambda connection: connection.execute(query.limit(1)).scalar())
        return str(found or "")

    def recent(self, limit: int = 100, after_id: int = 0) -> list[StoredLine]:
        """The newest `limit` lines with a number above `after_id`, in the order of storing."""
        query = sa.select(_lines).where(_lines.c.id > after_id).order_by(_lines.c.id.desc()).limit(_bounded(limit))
        rows = self._call(lambda connection: connection.execute(query).all())
        return [_line(row) for row in reversed(rows)]

    def counts(self, since: float) -> dict[str, int]:
        """Number of lines by reason since `since` (epoch seconds)."""
        query = sa.select(_lines.c.reason, sa.func.count()).where(_lines.c.at >= since).group_by(_lines.c.reason)
        rows = self._call(lambda connection: connection.execute(query).all())
        return {row[0]: row[1] for row in rows}

    def worth(self, since: float, until: float) -> Sums:
        """What scenarios did and brought from `since` up to `until` (epoch seconds)."""
        result: Sums = self._call(lambda connection: sums(connection, since, until))
        return result

    def journeys(self, since: float) -> list[Seen]:
        """The newest lines about journeys since `since` (epoch seconds), newest first, at most `MOST_OF_JOURNEYS`."""
        reasons, began = sorted(STANDING | LEAVING), f'"{BEGAN}":'
        meant = _lines.c.reason.in_(sorted(STANDING)) | _lines.c.detail.contains(began, autoescape=True)
        query = (
            sa.select(_lines, _links.c.owner)
            .outerjoin(_links, _links.c.alias == _lines.c.customer)
            .where(_lines.c.at >= since, _lines.c.reason.in_(reasons), meant)
            .order_by(_lines.c.at.desc(), _lines.c.id.desc())
            .limit(MOST_OF_JOURNEYS)
        )
        rows = self._call(lambda connection: connection.execute(query).all())
        return [Seen(row.id, row.owner or row.customer, _line(row).line) for row in rows]

    def prune(self, before: float, batches: int = 50) -> int:
        """Delete lines older than `before` (epoch seconds) in small transactions, at most `batches` of them.

        Returns how many were deleted; a multiple of PRUNE_BATCH means that there may be more.
        """
        self._prune(_worth.c.digest, before, batches)
        deleted, done = self._prune(_lines.c.id, before, batches)
        if done:
            self._call(lambda connection: connection.execute(sa.delete(_links).where(_links.c.at < before)))
        return deleted

    def _prune(self, key: sa.Column[Any], before: float, batches: int) -> tuple[int, bool]:
        """Delete old rows of the table that `key` is the key of. Returns how many, and whether there are no more."""
        table = key.table
        old = sa.select(key).where(table.c.at < before).order_by(table.c.at).limit(PRUNE_BATCH)
        deleted = 0
        for _ in range(batches):
            statement = sa.delete(table).where(key.in_(old.scalar_subquery()))
            count: int = self._call(lambda connection, work=statement: connection.execute(work).rowcount)
            deleted += count
            if count < PRUNE_BATCH:
                return deleted, True
        return deleted, False

    def lines_of(self, key: str, limit: int) -> list[StoredLine]:
        """The newest `limit` lines about exactly this key, oldest first."""
        found: list[StoredLine] = self._call(
            lambda connection: self._story(connection, [_text(key)], None, None, limit, 0)
        )
        return found

    def erase(self, customer: str) -> int:
        """Delete every line about a customer's key, every line of others that names it, and its links; how many lines.

        The lines of others are those of linking, the only ones that name a second key.
        """
        key = _text(customer)
        quoted = json.dumps(key, ensure_ascii=True)
        naming = _lines.c.reason.in_(LINKING) & _lines.c.detail.contains(quoted, autoescape=True)

        def work(connection: sa.Connection) -> int:
            connection.execute(sa.delete(_links).where((_links.c.alias == key) | (_links.c.owner == key)))
            connection.execute(sa.delete(_worth).where(_worth.c.customer == key))
            return connection.execute(sa.delete(_lines).where((_lines.c.customer == key) | naming)).rowcount

        count: int = self._call(work)
        return count

    def _create(self, connection: sa.Connection) -> None:
        if connection.dialect.name == "postgresql":  # two processes starting at once must not both create
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7305808869228110701)"))
        for table in _metadata.sorted_tables:
            connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))

    def _insert(self, connection: sa.Connection, places: Sequence[Place]) -> None:
        statement = self._upsert(_lines).on_conflict_do_nothing(index_elements=["digest"])
        noting = self._upsert(_worth).on_conflict_do_nothing(index_elements=["digest"])
        for at in range(0, len(places), INSERT_BATCH):
            batch = places[at : at + INSERT_BATCH]
            rows = [_row(place) for place in batch]
            connection.execute(statement, rows)
            facts = [fact for place, row in zip(batch, rows, strict=True) if (fact := fact_of(place.line, row))]
            if facts:
                connection.execute(noting, facts)
        links = [row for place in places if (row := _link(place.line)) is not None]
        if links:
            connection.execute(self._upsert(_links).on_conflict_do_nothing(), links)

    def _keys(self, connection: sa.Connection, customer: str) -> list[str]:
        """Breadth first over links, in both directions: a visitor's story goes on under the user's key, and began before."""
        keys = [customer]
        front = [customer]
        while front and len(keys) < MAX_KEYS:
            near = (
                sa.select(_links.c.alias, _links.c.owner)
                .where(_links.c.alias.in_(front) | _links.c.owner.in_(front))
                .limit(MAX_KEYS * 2)
            )
            front = [key for key in _distinct(connection.execute(near)) if key not in keys]
            keys += front
        return keys[:MAX_KEYS]

    def _story(
        self,
        connection: sa.Connection,
        keys: list[str],
        scenario: str | None,
        until: float | None,
        limit: int,
        before: int,
    ) -> list[StoredLine]:
        order = sa.tuple_(_lines.c.at, _lines.c.id)
        query = sa.select(_lines).where(_lines.c.customer.in_(keys))
        if scenario:
            query = query.where(_lines.c.scenario == scenario)
        if until is not None:
            query = query.where(_lines.c.at <= until)
        if before:
            pivot = connection.execute(sa.select(_lines.c.at).where(_lines.c.id == before)).scalar()
            if pivot is None:
                return []
            query = query.where(order < sa.tuple_(sa.literal(pivot), sa.literal(before)))
        query = query.order_by(_lines.c.at.desc(), _lines.c.id.desc()).limit(_bounded(limit))
        return [_line(row) for row in reversed(connection.execute(query).all())]

    def _call(self, work: Any) -> Any:
        try:
            if not self._created:
                with self._engine.begin() as connection:
                    self._create(connection)
                self._created = True
            with self._engine.begin() as connection:
                return work(connection)
        except (DataError, IntegrityError) as error:
            raise LineRefusedError(f"the journal's database {self._where} refuses a line: {cause(error)}") from error
        except (SQLAlchemyError, OSError) as error:
            if isinstance(error, StatementError) and isinstance(error.orig, ValueError | TypeError | OverflowError):
                raise LineRefusedError(f"a journal line cannot be stored: {cause(error)}") from error
            raise JournalDownError(
                f"the journal's database {self._where} fails: {cause(error)}; see BOOMERANG_SQL"
            ) from error


def _bounded(limit: int) -> int:
    return max(1, min(limit, MAX_LINES))


def _text(text: str) -> str:
    return text[:TEXT_LIMIT].replace("\x00", "\ufffd")  # PostgreSQL has no NUL in texts


def _row(place: Place) -> dict[str, Any]:
    line = place.line
    where = f"{place.partition}\x1f{place.offset}\x1f{place.n}\x1f".encode()
    return {
        "digest": blake2b(where + place.raw, digest_size=16).digest(),
        "at": line.at,
        "customer": _text(line.customer),
        "reason": _text(line.reason),
        "scenario": _text(line.scenario),
        "trigger_id": _text(line.trigger_id),
        "event_id": _text(line.event_id),
        "channel": _text(line.channel),
        "due": line.due,
        "detail": json.dumps(line.detail, ensure_ascii=True, separators=(",", ":")) if line.detail else "",
    }


def _link(line: JournalLine) -> dict[str, Any] | None:
    alias, owner = line.detail.get("alias", ""), line.detail.get("owner", "")
    if line.reason != Reason.LINKED or not alias or not owner or alias == owner:
        return None
    return {"alias": _text(str(alias)), "owner": _text(str(owner)), "at": line.at}


def _line(row: Any) -> StoredLine:
    detail = json.loads(row.detail) if row.detail else {}
    line = JournalLine(
        row.at, row.customer, row.reason, row.scenario, row.trigger_id, row.event_id, row.channel, row.due, detail
    )
    return StoredLine(row.id, line)


def _distinct(rows: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in (row.alias, row.owner)))
