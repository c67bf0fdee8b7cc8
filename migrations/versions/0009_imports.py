"""Imports of files."""

from rapport.core.steps import run_sql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Run `sql/0009_imports.sql`."""
    run_sql("0009_imports")
