"""Distributions, their messages, and how far the activity log has been read for them."""

from rapport.core.steps import run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run `sql/0005_distributions.sql`."""
    run_sql("0005_distributions")
