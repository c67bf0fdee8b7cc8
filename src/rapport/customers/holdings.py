"""What a feature holds on a person: how it is gathered, moved to another customer, and erased.

Each feature with rows about customers declares a `Holding` beside its queries; `app.py` hands all of them to the
features that act on a whole person (access requests, permanent deletion, merges).
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rapport.core.db import Connection
from rapport.customers.models import Customer


class Gather(Protocol):
    """Yields what is held on a person, one JSON object a row, as the API shows it, oldest first."""

    def __call__(self, conn: Connection, project_id: int, customer: Customer) -> AsyncIterator[dict[str, Any]]:
        """Read in pages (`async for row in conn.cursor(…)`, in the open transaction): there may be 100,000 rows.

        Of a person who was deleted in the plain way only the id is certain.
        """


class Erase(Protocol):
    """Removes every trace of a (locked) person from the feature's tables; returns how many rows were touched.

    It is called again until nothing is touched any more (the person may have no row to lock: deleted in the plain way),
    and once for each customer who was merged into the person. The customer's own row is gone by then.

    Rows of a ledger stay without what names the person. What holds a text of the person's without their id (an answer
    kept, a file, parameters) is found by the values themselves: id, source id, email, phone.
    """

    async def __call__(self, conn: Connection, project_id: int, customer: Customer) -> int:
        """Run inside the transaction that deletes the person."""


class Move(Protocol):
    """Gives rows of one (locked) customer to another, all of them or those that `only` names; returns their ids.

    Moving the returned ids back is how a merge is undone: `only` may be empty. What is worked out from the rows
    (summaries, segments) is the caller's to keep. The giver's own row is gone already.
    """

    async def __call__(
        self, conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None = None
    ) -> list[str]:
        """Run inside the transaction that merges the two."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What one feature holds on a person; `name` is its key in the file of an access request and in receipts.

    `by_text`: rows are found by the person's values in texts. They alone do not make anybody known.
    """

    name: str
    gather: Gather
    erase: Erase
    move: Move
    by_text: bool = False
