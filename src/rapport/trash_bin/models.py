"""An entry of the bin as a value."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from rapport.core.db import Connection
from rapport.http.caller import Caller


class Entry(msgspec.Struct, frozen=True):
    """Something that was deleted, but not for good.

    `deleted_by`: the API key in whose name. `content`: what the feature needs to know to put the thing back.
    """

    id: str
    resource_type: str
    resource_id: str
    resource_name: str
    resource_parent_id: str | None
    deleted_by: str | None
    content: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Kind:
    """What a feature does with the things of one type that are in the bin, in the transaction that removes the entry.

    `remove` deletes the thing for good. `restore` puts it back; it raises NotRestored where something is in its place.
    """

    remove: Callable[[Connection, Caller, Entry], Awaitable[None]]
    restore: Callable[[Connection, Caller, Entry], Awaitable[None]]


Kinds: TypeAlias = Mapping[str, Kind]
