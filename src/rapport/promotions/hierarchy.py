"""The ranks of a campaign's tiers: no two have the same. Pure."""

from collections.abc import Mapping


def last(ranks: Mapping[str, int]) -> int:
    """Return the rank of a tier that is added without one: after all others."""
    return max(ranks.values(), default=0) + 1


def added(ranks: Mapping[str, int], rank: int) -> dict[str, int]:
    """Return which tiers make room for a new one at a rank, with their new ranks; a free rank moves nobody."""
    if rank not in ranks.values():
        return {}
    return {one: old + 1 for one, old in ranks.items() if old >= rank}


def moved(ranks: Mapping[str, int], tier_id: str, rank: int) -> dict[str, int]:
    """Return which other tiers move when one of them goes to a rank; a free rank moves nobody.

    Those that it passes take a step towards where it was.
    """
    old = ranks[tier_id]
    others = {one: at for one, at in ranks.items() if one != tier_id}
    if rank not in others.values():
        return {}
    if rank > old:
        return {one: at - 1 for one, at in others.items() if old < at <= rank}
    return {one: at + 1 for one, at in others.items() if rank <= at < old}
