"""How the journal's database is reached: SQLite beside the embedded servers, PostgreSQL by setting."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from app.errors import JournalDownError


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
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")  # survives kill -9; Kafka has the lines for a week
        cursor.execute("PRAGMA busy_timeout=10000")
        cursor.execute("PRAGMA cache_size=-2048")  # KiB: a small process
        cursor.close()

    return engine


def cause(error: Exception) -> str:
    """What the database says is wrong, in one line."""
    return str(getattr(error, "orig", None) or error).strip().split("\n", 1)[0]
