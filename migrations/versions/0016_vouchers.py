"""Gift cards and their ledger, windows of time, categories, what a campaign's summary is counted from."""

from rapport.core.steps import run_sql

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Run `sql/0016_vouchers.sql`."""
    run_sql("0016_vouchers")
