"""What a unit tells the decider about customers, and what the decider answers: which segments they enter and leave."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from rapport.core.db import Connection, Database
from rapport.customers.models import Customer
from rapport.metadata.models import NO_SCHEMAS, Schemas


@dataclass(frozen=True, slots=True)
class Moment:
    """What is true at the time of a unit: the time, the project's zone, and what the decider read with them.

    `schemas` are the metadata schemas as of this moment.
    """

    now: datetime
    zone: ZoneInfo
    known: Any
    schemas: Schemas = NO_SCHEMAS


@dataclass(frozen=True, slots=True)
class Happening:
    """An event or an order that counts in filters, as segments look at it.

    `source`: events or orders; `name` of the event; `amount` in minor units; `values`: what conditions on the event or
    the order itself are about.
    """

    source: str
    name: str
    at: datetime
    amount: int
    values: Mapping[str, Any]


@dataclass(slots=True)
class Change:
    """What a unit does to one customer: `old` is None for a new one, equal to `new` for one that is looked at again.

    `look_at`: segments to decide about whatever has changed. `placed`: static segments the customer is to be in or not.
    """

    old: Customer | None
    new: Customer
    added: list[Happening] = field(default_factory=list)
    removed: list[Happening] = field(default_factory=list)
    look_at: set[str] = field(default_factory=set)
    placed: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    """A segment that a customer enters or leaves.

    `logged`: it goes into the activity log. `back_fill`: the customer was one of its members before it was there.
    """

    segment_id: str
    name: str
    logged: bool
    back_fill: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What a change means: segments entered and left, and what only the decider understands, to be written with it.

    `not_before`: what is left was entered at that moment; the log must not say that it was left earlier.
    """

    entered: Sequence[Turn] = ()
    left: Sequence[Turn] = ()
    not_before: datetime | None = None
    more: Any = None


class Decider(Protocol):
    """Decides about membership inside the transaction that changes the data."""

    async def open(self, conn: Connection, db: Database, project_id: int, customer_ids: list[str]) -> Moment:
        """Read, after the locks, the time and everything that decisions about these customers begin with."""

    async def decide(
        self, conn: Connection, project_id: int, moment: Moment, changes: Sequence[Change]
    ) -> list[Decision]:
        """Decide about each change of a (locked) customer."""

    async def write(
        self, conn: Connection, project_id: int, moment: Moment, decided: Sequence[tuple[str, Decision]]
    ) -> None:
        """Write what was decided about customers."""

    async def among(
        self, conn: Connection, project_id: int, moment: Moment, customer: Customer, segment_ids: Collection[str]
    ) -> frozenset[str]:
        """Return those of the segments that the customer is in by this state, written or not."""

    async def forget(self, conn: Connection, project_id: int, moment: Moment, *customer_ids: str) -> None:
        """Remove deleted customers from every segment."""
