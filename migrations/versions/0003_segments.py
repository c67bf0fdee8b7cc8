"""Segments and their members."""

from rapport.core.steps import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run `sql/0003_segments.sql`."""
    run_sql("0003_segments")
