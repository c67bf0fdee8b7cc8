"""Permanent deletion, access requests, merges of customers."""

from rapport.core.steps import run_sql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Run `sql/0012_privacy.sql`."""
    run_sql("0012_privacy")
