"""What validation rules count: the numbers themselves, and what has to be counted."""

from rapport.core.steps import run_sql

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Run `sql/0020_rule_counters.sql`."""
    run_sql("0020_rule_counters")
