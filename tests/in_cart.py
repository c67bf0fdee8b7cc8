"""In-cart promotions for tests: campaigns of tiers, valid by default."""

from typing import Any

from promotions import percent


def tier(name: str = "Tier", off: float = 10, **more: Any) -> dict[str, Any]:
    """Return the body of a tier that takes some per cent off."""
    return {"name": name, "action": {"discount": percent(off)}, **more}


def make_promotion(api: Any, *tiers: dict[str, Any], name: str = "Deals", **more: Any) -> dict[str, Any]:
    """Create a campaign of in-cart promotions with these tiers."""
    body = {"name": name, "campaign_type": "PROMOTION", "promotion": {"tiers": list(tiers)}, **more}
    return api.call("POST", "/v1/campaigns", body)  # type: ignore[no-any-return]


def add_tier(api: Any, campaign: str, name: str = "Tier", **more: Any) -> dict[str, Any]:
    """Add a tier to a campaign."""
    return api.call("POST", f"/v1/promotions/{campaign}/tiers", tier(name, **more))  # type: ignore[no-any-return]


def ranked(api: Any, campaign: str) -> list[tuple[str, int]]:
    """Return the names of a campaign's tiers with their ranks, in the order of the list."""
    found = api.call("GET", f"/v1/promotions/{campaign}/tiers")
    assert (found["total"], found["has_more"]) == (len(found["tiers"]), False)
    return [(one["name"], one["hierarchy"]) for one in found["tiers"]]


def make_category(api: Any, name: str = "Deals", hierarchy: int = 1) -> str:
    """Create a category; return its id."""
    return api.call("POST", "/v1/categories", {"name": name, "hierarchy": hierarchy})["id"]  # type: ignore[no-any-return]


def make_stack(api: Any, campaign: str, *ids: str, name: str = "Stack", **more: Any) -> dict[str, Any]:
    """Create a stack of tiers."""
    body = {"name": name, "tiers": {"ids": list(ids), "hierarchy_mode": "MANUAL"}, **more}
    return api.call("POST", f"/v1/promotions/{campaign}/stacks", body)  # type: ignore[no-any-return]
