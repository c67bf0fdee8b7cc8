"""What the layer of attempts asks of the feature that knows what a code is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: its method, its path as it is routed, its query (the first of each name) and its body.

    `by_client`: it came with a client key, which anybody can read.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    by_client: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What to answer to attempts that failed, and how many they were."""

    attempts: int
    status: int
    body: bytes


class Reader(Protocol):
    """Tells attempts that failed from all other answers."""

    def covers(self, method: str, path: str) -> bool:
        """Whether codes can be tried with this operation; the path is as it is routed."""

    def customer(self, asked: Asked) -> str | None:
        """Return how the request names its customer, or None."""

    def failed(self, asked: Asked, status: int, body: bytes) -> Told | None:
        """Return what to answer where codes were tried in vain, or None."""
