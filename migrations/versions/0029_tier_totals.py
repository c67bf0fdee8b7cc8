"""What tiers came to is kept beside them."""

from rapport.core.steps import run_sql

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Run `sql/0029_tier_totals.sql`."""
    run_sql("0029_tier_totals")
