"""docs/validation-rules.md names every rule and every operator that there is."""

import re
from pathlib import Path

from rapport.rules.kinds import KINDS
from rapport.rules.reading import allowed_operators
from rapport.segments.operators import BY_NAME

PAGE = (Path(__file__).parents[2] / "docs" / "validation-rules.md").read_text()
CODE = set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)))


def is_told(name: str) -> bool:
    """Whether a name stands on the page, or its beginning and its end as `.end`."""
    start, _, end = name.rpartition(".")
    return name in CODE or (f".{end}" in CODE and any(one == start or one.startswith(f"{start}.") for one in CODE))


def test_every_rule_is_on_the_page() -> None:
    names = set(KINDS) | {name for row in KINDS.values() for name in row.nested}
    shown = {name.replace("sku.", "product.") if name.startswith("sku.") else name for name in names}
    assert sorted(name for name in shown if not is_told(name)) == []


def test_every_operator_is_on_the_page() -> None:
    operators = {name for row in KINDS.values() for name in allowed_operators(row)}
    first = {operator.name for operator in BY_NAME.values()} - {"$more_than_equal", "$less_than_equal"}
    wanted = {name for name in operators if name in first or name not in BY_NAME}
    text = " ".join(CODE)
    assert sorted(name for name in wanted if name not in text) == []


def test_the_page_names_no_rule_that_is_not_there() -> None:
    known = set(KINDS) | {name for row in KINDS.values() for name in row.nested}
    roots = ("customer.", "order.", "redemption.", "campaign.", "publication.", "custom_event.", "product.", "sku.")
    named = {one for one in CODE if one.startswith(roots) and re.fullmatch(r"[a-z_.]+", one)}
    assert named <= known
