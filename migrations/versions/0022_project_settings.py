"""Settings of projects: what pages and apps may do with a client key, and what the management API shows."""

from rapport.core.steps import run_sql

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Run `sql/0022_project_settings.sql`."""
    run_sql("0022_project_settings")
