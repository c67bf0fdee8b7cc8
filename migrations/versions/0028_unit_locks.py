"""Units that validation sessions hold back."""

from rapport.core.steps import run_sql

revision = "0028"
down_revision = "0026"


def upgrade() -> None:
    """Run `sql/0028_unit_locks.sql`."""
    run_sql("0028_unit_locks")
