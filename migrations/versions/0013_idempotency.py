"""Idempotency keys and the trash bin."""

from rapport.core.steps import run_sql

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Run `sql/0013_idempotency.sql`."""
    run_sql("0013_idempotency")
