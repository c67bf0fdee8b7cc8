"""How many attempts may fail in an hour, and whose they are. Pure.

A budget is kept as the moment at which it will be full again. An attempt that fails moves it on by the hour divided by
the budget; nobody may move it further than an hour ahead. So a budget that was left alone for an hour allows all of its
attempts at once, and one that is used up allows another each time such a part of the hour has passed.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

WINDOW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Budgets:
    """Failed attempts an hour; 0 is no limit."""

    per_address: int
    per_customer: int
    per_client_key: int
    per_server_key: int


@dataclass(frozen=True, slots=True)
class Subject:
    """One whose attempts are counted; `digest` names them in the database, `limit` is their budget."""

    digest: bytes
    limit: int

    def cost(self, attempts: int) -> timedelta:
        """Return by how much so many failed attempts put off the moment when the budget is full."""
        return min(attempts, self.limit) * (WINDOW // self.limit)

    def wait_s(self, left_s: float, attempts: int = 1) -> float:
        """Return after how many seconds so many attempts may fail, if the budget is full in `left_s` seconds."""
        return left_s + (self.cost(attempts) - WINDOW).total_seconds()


def subjects(named: Sequence[tuple[str, str | None, int]]) -> list[Subject]:
    """Return those who are known and have a budget, of (kind, name, budget).

    Only a hash of the name is kept: it may be an address or a customer's id.
    """
    found = [
        Subject(hashlib.sha256(f"{kind}\0{name}".encode("utf-8", "surrogatepass")).digest(), limit)
        for kind, name, limit in named
        if name is not None and limit > 0
    ]
    return sorted(found, key=lambda one: one.digest)
