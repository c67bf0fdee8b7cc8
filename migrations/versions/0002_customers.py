"""The activity log, customers, events and orders."""

from rapport.core.steps import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run `sql/0002_customers.sql`."""
    run_sql("0002_customers")
