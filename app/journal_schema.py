"""The tables of the journal's database."""

import sqlalchemy as sa

metadata = sa.MetaData()
_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

lines = sa.Table(
    "journal",
    metadata,
    sa.Column("id", _Id, primary_key=True, autoincrement=True),
    sa.Column("digest", sa.LargeBinary(16), nullable=False, unique=True),
    sa.Column("at", sa.Float(53), nullable=False),
    sa.Column("customer", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("scenario", sa.Text, nullable=False),
    sa.Column("trigger_id", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("due", sa.Float(53), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Index("journal_customer", "customer", "at"),
    sa.Index("journal_at", "at", "reason"),
    sqlite_autoincrement=True,
)
links = sa.Table(
    "journal_links",
    metadata,
    sa.Column("alias", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, primary_key=True),
    sa.Column("at", sa.Float(53), nullable=False),
    sa.Index("journal_links_owner", "owner"),
)
worth = sa.Table(
    "journal_worth",
    metadata,
    sa.Column("digest", sa.LargeBinary(16), primary_key=True),
    sa.Column("at", sa.Float(53), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("entered_at", sa.Float(53), nullable=False),
    sa.Column("scenario", sa.Text, nullable=False),
    sa.Column("member", sa.Text, nullable=False),
    sa.Column("customer", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("amount", sa.Float(53), nullable=False),
    sa.Index("journal_worth_kind", "kind", "entered_at"),
    sa.Index("journal_worth_customer", "customer"),
    sa.Index("journal_worth_at", "at"),
)
"""What lines of the journal say of the worth of a scenario, a row a line: see `app/worth_store.py`."""
