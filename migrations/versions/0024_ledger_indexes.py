"""Indexes of the ledger of gift cards: what a rollback refunds, and lines that may name a person."""

from rapport.core.steps import run_sql

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Run `sql/0024_ledger_indexes.sql`."""
    run_sql("0024_ledger_indexes")
