"""Redemptions of persons who were erased still count as those of one person each."""

from rapport.core.steps import run_sql

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Run `sql/0025_former_customers.sql`."""
    run_sql("0025_former_customers")
