"""Budgets of attempts to find codes."""

from rapport.core.steps import run_sql

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Run `sql/0019_failed_attempts.sql`."""
    run_sql("0019_failed_attempts")
