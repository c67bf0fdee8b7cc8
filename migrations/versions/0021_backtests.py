"""Back-tests: drafts replayed over stored orders, and what came of it."""

from rapport.core.steps import run_sql

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Run `sql/0021_backtests.sql`."""
    run_sql("0021_backtests")
