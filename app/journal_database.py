"""How the journal's database is reached: SQLite beside the embedded servers, PostgreSQL by setting."""

import time
from pathlib import Path
from sqlite3 import SQLITE_BUSY, SQLITE_LOCKED, OperationalError
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from app.errors import JournalDownError

WAL_TRIES = 200
WAL_PAUSE = 0.05
"""Seconds between two tries to turn the write-ahead log on: ten in all, as long as any other statement waits for a lock."""
_LOCKED = (SQLITE_BUSY, SQLITE_LOCKED)


def engine(url: str) -> sa.Engine:
    """The database at an SQLAlchemy URL; not connected yet. Raises JournalDownError for one that cannot be used."""
    try:
        parsed = sa.engine.make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed)
        if parsed.get_backend_name() == "postgresql":
            return sa.create_engine(parsed, pool_size=2, max_overflow=2, pool_pre_ping=True, pool_recycle=1800)
    except (SQLAlchemyError, ImportError, OSError) as error:
        raise JournalDownError(f"BOOMERANG_SQL cannot be used: {str(error).splitlines()[0]}") from error
    raise JournalDownError("BOOMERANG_SQL must begin with sqlite:/// or postgresql://")


def _sqlite(url: sa.URL) -> sa.Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, connect_args={"timeout": 10.0})

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout=0")
        _write_ahead(cursor)
        cursor.execute("PRAGMA busy_timeout=10000")
        cursor.execute("PRAGMA synchronous=NORMAL")  # survives kill -9; Kafka has the lines for a week
        cursor.execute("PRAGMA cache_size=-2048")  # KiB: a small process
        cursor.close()

    return engine


def _write_ahead(cursor: Any) -> None:
    """Turn the write-ahead log on. Raises sqlite3.OperationalError when others hold the database for too long.

    SQLite waits for no lock where two connections both read and want to change the mode: one of them is refused at once,
    however long its busy time-out (https://www.sqlite.org/c3ref/busy_handler.html). So who is refused asks again.
    """
    for left in reversed(range(WAL_TRIES)):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except OperationalError as error:
            if not left or error.sqlite_errorcode & 0xFF not in _LOCKED:
                raise
            time.sleep(WAL_PAUSE)
        else:
            return


def cause(error: Exception) -> str:
    """What the database says is wrong, in one line."""
    return str(getattr(error, "orig", None) or error).strip().split("\n", 1)[0]
