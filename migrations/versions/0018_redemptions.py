"""Stacking rules, validation sessions, and redemptions of gift cards and promotion tiers."""

from rapport.core.steps import run_sql

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Run `sql/0018_redemptions.sql`."""
    run_sql("0018_redemptions")
