"""How often a campaign was redeemed is counted where formulas name it."""

from rapport.core.steps import run_sql

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Run `sql/0028_formula_counts.sql`."""
    run_sql("0028_formula_counts")
