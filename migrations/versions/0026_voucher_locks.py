"""The locks of a session are found by its key."""

from rapport.core.steps import run_sql

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Run `sql/0026_voucher_locks.sql`."""
    run_sql("0026_voucher_locks")
