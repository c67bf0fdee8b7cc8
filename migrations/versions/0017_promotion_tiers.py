"""Categories, tiers and stacks of in-cart promotions, locations, templates of campaigns."""

from rapport.core.steps import run_sql

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Run `sql/0017_promotion_tiers.sql`."""
    run_sql("0017_promotion_tiers")
