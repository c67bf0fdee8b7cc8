"""Codes that may be told to anybody are found among many that may not."""

from rapport.core.steps import run_sql

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Run `sql/0027_codes_for_anybody.sql`."""
    run_sql("0027_codes_for_anybody")
