"""Consents, devices, marketing interaction and in-store activity of a customer."""

from rapport.core.steps import run_sql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Run `sql/0008_consents.sql`."""
    run_sql("0008_consents")
