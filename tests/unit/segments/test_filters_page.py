"""docs/filters.md names every operator and field there is, and none there is not."""

import re
from pathlib import Path

import pytest

from rapport.core import jsons
from rapport.segments.fields import PATTERNS, Kind
from rapport.segments.filters import parse
from rapport.segments.operators import OPERATORS, Narrowing
from rapport.segments.windows import fields as row_fields

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "filters.md").read_text(encoding="utf-8")


def rows(title: str, below: str = "") -> list[list[str]]:
    """Return the rows of a section's own tables, or of those under a heading `below`."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    section = section.split(f"\n### {below}\n")[1] if below else section
    section = section.split("\n### ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_operator_has_its_row_with_its_other_spellings() -> None:
    assert [(names(row[0])[0], tuple(names(row[1]))) for row in rows("Operators")] == [
        (operator.name, operator.aliases) for operator in OPERATORS
    ]


def test_every_operator_says_what_it_applies_to() -> None:
    by_name = {operator.name: operator for operator in OPERATORS}
    for row in rows("Operators"):
        applies = row[2]
        operator = by_name[names(row[0])[0]]
        if applies.startswith(("as `", "the same test as `")):
            like = by_name[names(applies)[0]]
            assert set(operator.meanings) == set(like.meanings)
            assert (operator.negated is not like.negated) is ("complement" in applies) or operator.name == "$is_unknown"
            continue
        tested = {kind.value for kind, meaning in operator.meanings.items() if not isinstance(meaning, Narrowing)}
        if applies == "all but segments":
            assert tested == {kind.value for kind in Kind} - {"segments"}
            continue
        listed = re.sub(r"; narrows events and orders|;? on | the same as .*$| and ", ", ", applies)
        assert {kind for kind in re.split(r",\s*", listed) if kind} == tested, operator.name
        assert ("narrows events and orders" in applies) is (len(tested) < len(operator.meanings)), operator.name


def test_every_field_has_its_row() -> None:
    listed = [name for row in rows("Fields") for name in names(row[0])]
    assert len(listed) == len(set(listed))
    assert set(listed) == set(PATTERNS)


def test_every_field_of_events_and_orders_has_its_row() -> None:
    listed = [(row[0], name) for row in rows("Operators", "Where") for name in names(row[1])]
    assert sorted(listed) == sorted((source, name) for source, found in row_fields.PATTERNS.items() for name in found)


def examples() -> list[str]:
    blocks = re.findall(r"```json\n(.*?)```", PAGE, flags=re.DOTALL)
    return [*blocks, *(names(row[1])[0] for row in rows("Examples"))]


@pytest.mark.parametrize("example", examples())
def test_every_example_is_a_filter(example: str) -> None:
    assert parse(jsons.decode(example)).size > 0


def test_every_count_is_written_as_the_page_says() -> None:
    for row in rows("Operators", "Events and orders"):
        conditions = jsons.decode("{" + names(row[1])[0].replace("[W]", "[90]") + "}")
        assert len(parse({"events.x": {"conditions": conditions}}).windows) == 1


def test_no_other_operator_is_named_anywhere() -> None:
    known = {name for operator in OPERATORS for name in (operator.name, *operator.aliases)}
    assert set(re.findall(r"\$[a-z_]+", PAGE)) - {"$foo"} == known
