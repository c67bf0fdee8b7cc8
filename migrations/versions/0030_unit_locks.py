"""Units that validation sessions hold back."""

from rapport.core.steps import run_sql

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Run `sql/0030_unit_locks.sql`."""
    run_sql("0030_unit_locks")
