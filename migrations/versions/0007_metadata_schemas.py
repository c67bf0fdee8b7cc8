"""Metadata schemas and event schemas."""

from rapport.core.steps import run_sql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Run `sql/0007_metadata_schemas.sql`."""
    run_sql("0007_metadata_schemas")
