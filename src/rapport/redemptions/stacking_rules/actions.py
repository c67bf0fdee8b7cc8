"""Writes of stacking rules: a project has one set of them, or the defaults."""

from rapport.core.db import Connection, Database
from rapport.core.errors import NotFound, RapportError
from rapport.core.ids import new_id
from rapport.redemptions.stacking import DEFAULTS, shown
from rapport.redemptions.stacking_rules import queries
from rapport.redemptions.stacking_rules.queries import Stored
from rapport.redemptions.stacking_rules.schemas import StackingRulesInput, changed

RESOURCE = "stacking_rules"


class StackingRulesExist(RapportError):
    """The project has stacking rules already; they can be changed."""

    code = 409
    key = "stacking_rules_exist"
    message = "Stacking rules exist"


async def create(db: Database, project_id: int, data: StackingRulesInput) -> Stored:
    """Set the rules in place of the defaults (`create-stacking-rules`). Raises InvalidPayload, StackingRulesExist."""
    rules = shown(changed(data, DEFAULTS))

    async def work(conn: Connection) -> Stored:
        stored = await queries.insert(conn, project_id, new_id("stk"), rules, db.clock_offset)
        if stored is None:
            raise StackingRulesExist("The project has stacking rules; change or delete them")
        return stored

    return await db.transaction(work)


async def get(conn: Connection, project_id: int, rules_id: str, *, lock: bool = False) -> Stored:
    """Return the rules with this id. Raises NotFound."""
    stored = await queries.find(conn, project_id, lock=lock)
    if stored is None or stored.id != rules_id:
        raise NotFound(RESOURCE, rules_id)
    return stored


async def update(db: Database, project_id: int, rules_id: str, data: StackingRulesInput) -> Stored:
    """Change the rules (`update-stacking-rules`). Raises NotFound, InvalidPayload."""

    async def work(conn: Connection) -> Stored:
        stored = await get(conn, project_id, rules_id, lock=True)
        rules = shown(changed(data, queries.read(stored.rules)))
        done = await queries.update(conn, project_id, rules_id, rules, db.clock_offset)
        if done is None:
            raise NotFound(RESOURCE, rules_id)
        return done

    return await db.transaction(work)


async def delete(db: Database, project_id: int, rules_id: str) -> None:
    """Let the defaults hold again (`delete-stacking-rules`). Raises NotFound."""

    async def work(conn: Connection) -> None:
        if not await queries.delete(conn, project_id, rules_id):
            raise NotFound(RESOURCE, rules_id)

    await db.transaction(work)
