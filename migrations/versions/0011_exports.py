"""Exports."""

from rapport.core.steps import run_sql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Run `sql/0011_exports.sql`."""
    run_sql("0011_exports")
