"""Validation rules, campaigns, vouchers, publications and redemptions."""

from rapport.core.steps import run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run `sql/0004_promotions.sql`."""
    run_sql("0004_promotions")
