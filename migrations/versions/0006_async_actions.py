"""Asynchronous actions; the secret that signs links of a project."""

from rapport.core.steps import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run `sql/0006_async_actions.sql`."""
    run_sql("0006_async_actions")
