"""Permanent deletions on the wire."""

from typing import Any, Literal

import msgspec

from rapport.http.answers import Instant


class DeletedRows(msgspec.Struct, kw_only=True):
    """What was deleted: the reference's counts, and `holdings` (an addition), the rows touched by kind."""

    events: int
    customer_events: int
    daily_events: int
    segments: int
    orders: int
    order_events: int
    customer: int
    holdings: dict[str, int]


class PermanentDeletion(msgspec.Struct, kw_only=True):
    """`CustomersPermanentDeletionCreateResponseBody` of the reference, which spells its `object` like this."""

    id: str
    created_at: str
    related_object_id: str
    data_json: DeletedRows
    related_object: Literal["customer"] = "customer"
    status: Literal["DONE"] = "DONE"
    object: Literal["pernament_deletion"] = "pernament_deletion"


class CustomerData(msgspec.Struct, kw_only=True):
    """Everything that is held on a person; what each feature holds is a list under the feature's own name.

    Of a customer who was deleted in the plain way, `customer` has only the id.
    """

    object: Literal["customer_data"]
    created_at: Instant
    customer: dict[str, Any]
    merged: list[dict[str, Any]]
