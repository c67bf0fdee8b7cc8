"""Merges and duplicates on the wire."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from rapport.core.clock import iso
from rapport.customers.schemas import Identifier
from rapport.merges.models import Merge, Side, Status
from rapport.segments.history.schemas import SimpleSegment

MAX_CHOICES = 1000


class FieldChoices(msgspec.Struct, kw_only=True, omit_defaults=True):
    """From whom a field is taken; what is absent or null is the target's, or else the source's."""

    source_id: Side | None = None
    name: Side | None = None
    description: Side | None = None
    email: Side | None = None
    phone: Side | None = None
    birthdate: Side | None = None
    address: Side | None = None


class MergeInput(msgspec.Struct, kw_only=True):
    """Whom to merge into the customer in the path (id or source id), and what to keep.

    `version`, from a preview of the same merge: it is refused if something has changed since.
    """

    source: Identifier
    fields: FieldChoices | None = None
    metadata: Annotated[dict[str, Side], Meta(max_length=MAX_CHOICES)] | None = None
    version: Annotated[str, Meta(max_length=100)] | None = None


class CustomerReference(msgspec.Struct, kw_only=True):
    """One of the two customers."""

    id: str
    object: Literal["customer"] = "customer"


class MergeView(msgspec.Struct, kw_only=True):
    """A merge. `moved`: how many rows of each kind went from the source to the target."""

    id: str
    status: Status
    source: CustomerReference
    target: CustomerReference
    moved: dict[str, int]
    created_at: str
    undone_at: str | None
    object: Literal["merge"] = "merge"


class MergeDone(msgspec.Struct, kw_only=True):
    """A merge, and the customer who came out of it."""

    merge: MergeView
    customer: dict[str, Any]


class MergePreview(msgspec.Struct, kw_only=True):
    """What a merge would come to: the customer, the segments they would enter and leave, the rows to move."""

    customer: dict[str, Any]
    entered: list[SimpleSegment]
    left: list[SimpleSegment]
    moved: dict[str, int]
    version: str
    object: Literal["merge_preview"] = "merge_preview"


class DuplicateGroup(msgspec.Struct, kw_only=True):
    """Customers who may be one person, and why. `count`: all of them; `customers`: the first ten by id."""

    id: str
    reason: str
    strength: Literal["strong", "weak"]
    count: int
    customers: list[dict[str, Any]]
    object: Literal["customer_duplicates"] = "customer_duplicates"


class DuplicateGroups(msgspec.Struct, kw_only=True):
    """A page of groups; `more_starting_after` continues it."""

    data: list[DuplicateGroup]
    has_more: bool
    more_starting_after: str | None = None
    object: Literal["list"] = "list"
    data_ref: Literal["data"] = "data"


def merge_view(merge: Merge) -> MergeView:
    """Return a merge as the API shows it."""
    return MergeView(
        id=merge.id,
        status=merge.status,
        source=CustomerReference(id=merge.source_id),
        target=CustomerReference(id=merge.target_id),
        moved=merge.counts,
        created_at=iso(merge.created_at),
        undone_at=None if merge.undone_at is None else iso(merge.undone_at),
    )
