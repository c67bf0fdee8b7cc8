"""Bulk updates; orders and events from files."""

from rapport.core.steps import run_sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Run `sql/0010_bulk.sql`."""
    run_sql("0010_bulk")
