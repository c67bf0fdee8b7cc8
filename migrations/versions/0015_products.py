"""The catalogue: products, SKUs, collections of both."""

from rapport.core.steps import run_sql

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Run `sql/0015_products.sql`."""
    run_sql("0015_products")
