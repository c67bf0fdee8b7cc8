"""The schema's versions: finding the steps, and telling whether a database is up to date.

Steps are plain SQL files run by Alembic, each in a transaction of its own (`migrations/` of a source checkout,
`rapport/migrations` of an installed package). The number that a step's file begins with is its version.
"""

import importlib
from pathlib import Path
from typing import cast

from rapport.core import preflight, queries
from rapport.core.db import Database
from rapport.settings import StartError


def directory() -> Path:
    """Return where the migration steps are. Raises StartError where they were not installed."""
    package = Path(__file__).resolve().parents[1]
    for place in (package / "migrations", package.parents[1] / "migrations"):
        if (place / "env.py").exists():
            return place
    raise StartError(f"the migration steps are missing from the installation in {package}")


def newest_version() -> str:
    """Return the name of the last step this code brings."""
    return versions()[-1]


def versions() -> list[str]:
    """Return the names of the steps this code brings, in their order."""
    return sorted(path.name.partition("_")[0] for path in (directory() / "versions").glob("[0-9]*.py"))


async def check_current(db: Database, url: str) -> None:
    """Raise StartError unless the schema is exactly the one this code works on."""
    async with db.read() as conn:
        found = await queries.find_schema_version(conn)
    refuse_newer(found, url)
    if found != newest_version():
        raise StartError(
            f"the schema of the database {preflight.place(url)} is at {found or 'nothing'}, this Rapport needs"
            f" {newest_version()}: run `rapport migrate`"
        )


async def migrate(url: str) -> list[str]:
    """Bring the schema up to date and return the steps that were run.

    What runs them is loaded only where there are some. Raises StartError when the database cannot be reached, when it
    was migrated by newer code, or when a step fails.
    """
    db = await preflight.open_database(url)
    try:
        async with db.read() as conn:
            found = await queries.find_schema_version(conn)
    finally:
        await db.close()
    if found == newest_version():
        return []
    return cast("list[str]", await importlib.import_module("rapport.core.steps").run(url))


def refuse_newer(found: str | None, url: str) -> None:
    """Raise StartError for a version that this code does not bring."""
    if found is not None and found not in versions():
        raise StartError(
            f"the schema of the database {preflight.place(url)} is at {found}, which this Rapport does not know"
            f" (it knows up to {newest_version()}): it was used by a newer Rapport, upgrade this one"
        )
