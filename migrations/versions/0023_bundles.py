"""Bundles of validation rules, and limits of the units that a campaign or a tier discounts."""

from rapport.core.steps import run_sql

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Run `sql/0023_bundles.sql`."""
    run_sql("0023_bundles")
