"""What the activity lists and the profile rely on."""

from rapport.core.steps import run_sql

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Run `sql/0014_profiles.sql`."""
    run_sql("0014_profiles")
