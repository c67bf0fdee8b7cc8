"""docs/filters.md names every operator and field there is, and none there is not."""

import re
from pathlib import Path

from rapport.segments.fields import PATTERNS
from rapport.segments.operators import OPERATORS, Narrowing

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "filters.md").read_text(encoding="utf-8")


def rows(title: str) -> list[list[str]]:
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
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
            assert tested == {"text", "number", "instant", "date", "any JSON", "products", "events"}
            continue
        listed = re.sub(r"; narrows events|;? on | the same as .*$| and ", ", ", applies)
        assert {kind for kind in re.split(r",\s*", listed) if kind} == tested, operator.name
        assert ("narrows events" in applies) is (len(tested) < len(operator.meanings)), operator.name


def test_every_field_has_its_row() -> None:
    listed = [name for row in rows("Fields") for name in names(row[0])]
    assert len(listed) == len(set(listed))
    assert set(listed) == set(PATTERNS)


def test_no_other_operator_is_named_anywhere() -> None:
    known = {name for operator in OPERATORS for name in (operator.name, *operator.aliases)}
    assert set(re.findall(r"\$[a-z_]+", PAGE)) - {"$foo"} == known
