"""Projects and their keys."""

from rapport.core.steps import run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run `sql/0001_projects.sql`."""
    run_sql("0001_projects")
