"""JSON of a shape nobody declared, in SQL: what `json_values` means, the common case as fast as if written by hand.

Commonly the keys lead through objects to a scalar, whose text `->>` reads at once. A list shows by its text, which
begins with a bracket (as that of some strings does, so it is only a hint); it goes by jsonpath, and so do lists on the
way. All of these may be NULL where a test does not hold.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from rapport.segments.fields import Bind, Json
from rapport.segments.json_values import (
    DECIMAL,
    PRODUCT_TEXTS,
    jsonpath,
    number_of_sql,
    quoted,
    scalars_of,
    text_of,
    text_of_sql,
)
from rapport.segments.operators import Index

Test = Callable[[str], str]
"""Writes a test of an SQL expression; what it binds is bound once, when it is written first."""

# Up to so many scalars are tried one by one.
MAX_SCALARS = 4
_TEXT, _NUMBER = f"({text_of_sql('q.v')})", f"({number_of_sql('q.v')})"
_PRODUCT_ROWS = ", ".join(f"(p.v -> '{key}')" for key in PRODUCT_TEXTS)
_DIGITS = "0123456789"
_SIGNS = {Index.EQUAL: "=", Index.OVER: ">", Index.FROM: ">=", Index.UNDER: "<", Index.UP_TO: "<="}
_OPPOSITES = {"=": "<>", ">": "<=", ">=": "<", "<": ">=", "<=": ">"}


class Path:
    """A path that is followed key by key."""

    def __init__(self, source: Json, bind: Bind) -> None:
        """Bind the keys."""
        self._source = source
        self._bind = bind
        self._path = ""
        self._steps: list[str] = []
        if not source.is_list:
            step = source.column
            for key in source.keys:
                placeholder = bind(key, "text")
                self.text = f"({step} ->> {placeholder})"
                step = f"{step} -> {placeholder}"
                self._steps.append(f"({step})")

    @property
    def value(self) -> str:
        """The value where every key leads on in an object, else NULL."""
        return self._steps[-1]

    @property
    def rows(self) -> str:
        """All elements, for a FROM clause: `q(v)`."""
        self._path = self._path or self._bind(jsonpath(self._source.keys), "jsonpath")
        return f"jsonb_path_query({self._source.column}, {self._path}) AS q(v)"

    @property
    def listed(self) -> str:
        """Whether there may be a list, at the end or on the way."""
        return self.unless_missing(f"{self.text} LIKE '[%'")

    def otherwise_written(self, patterns: Sequence[str]) -> str:
        """Write whether there may be a list, or a text like one of the patterns."""
        if not patterns:
            return self.listed
        return self.unless_missing(f"{self.text} LIKE ANY ({self._bind(['[%', *patterns], 'text[]')})")

    def unless_missing(self, text: str) -> str:
        """Write an expression that is NULL where the value is; then whether there is a list on the way."""
        return text if len(self._steps) == 1 else f"COALESCE({text}, {self._list_on_the_way})"

    @property
    def _list_on_the_way(self) -> str:
        return f"'array' IN ({', '.join(f'jsonb_typeof({step})' for step in self._steps[:-1])})"

    def cases(self, scalars: Mapping[str, str], lists: str, missing: str = "NULL") -> str:
        """Write an expression by the type of the value: that of a scalar or object, or `lists` where a list is met."""
        known = "".join(f" WHEN '{kind}' THEN {text}" for kind, text in scalars.items())
        last = f"CASE WHEN {self._list_on_the_way} THEN {lists} ELSE {missing} END" if self._steps[:-1] else missing
        return f"CASE jsonb_typeof({self.value}) WHEN 'array' THEN {lists}{known} ELSE {last} END"

    def any_row(self, test: str) -> str:
        """Write whether a test of `q.v` holds for any element."""
        return f"EXISTS (SELECT FROM {self.rows} WHERE {test})"


def _tells(operands: Sequence[str], place: int, others: str) -> bool:
    """Tell whether no operand has one of `others` at a place: neither lists nor objects nor numbers can look so."""
    return all(operand[place : place + 1 or None] not in [*others, ""] for operand in operands)


def _hits_are_exact(index: Index, operands: Sequence[str]) -> bool:
    """Tell whether a test of text that holds for `->>` is right: no list, object or other number can look so."""
    if index is Index.EQUAL:
        words = [operand for operand in operands if operand and len(scalars_of([operand])) == 1]
        return _tells(words, 0, f"[{{-{_DIGITS}")
    if index is Index.PREFIX:
        return _tells(operands, 0, f"[{{-{_DIGITS}")
    return index is Index.SUFFIX and _tells(operands, -1, f"]}}{_DIGITS}")


def _other_spellings(wanted: Iterable[Any]) -> list[str]:
    """Return patterns of what else numbers may be written like: 5 as 5.0, 1.5 as 1.50."""
    numbers = [text_of(one) for one in wanted if isinstance(one, Decimal)]
    return [f"{text}%0" if "." in str(text) else f"{text}.%0" for text in numbers]


def _is_verbatim(operands: Iterable[str]) -> bool:
    """Tell whether the operands look in JSON as they do themselves."""
    return not any(letter in '"\\' or letter < " " for operand in operands for letter in operand)


def texts(source: Json, bind: Bind, index: Index, operands: Sequence[str], test: Test) -> str:
    """Write whether a test of text holds for any element."""
    path = Path(source, bind)
    wanted = scalars_of(operands) if index is Index.EQUAL else []
    straight = len(source.keys) == 1 and 0 < len(wanted) <= MAX_SCALARS
    contained = _contained(source, path, bind, wanted) if straight else ""
    hits_are_exact = _hits_are_exact(index, operands)
    if contained and (source.is_list or not hits_are_exact):
        return f"({contained})"
    if contained:
        others = path.otherwise_written(_other_spellings(wanted))
        return f"({test(path.text)} OR ({others} AND ({contained})))"
    lists = path.any_row(test(_TEXT))
    if source.is_list:
        return lists
    held = test(path.text)
    if hits_are_exact and not _other_spellings(wanted):
        return f"({held} OR ({path.listed} AND {lists}))"
    number = test(f"trim_scale({path.value}::numeric)::text")
    exact = path.cases({"string": held, "number": number, "boolean": held}, lists)
    if index is Index.EACH and _is_verbatim(operands):
        # Contained in a text, also in that of a list: what has it nowhere is done with.
        return f"({path.unless_missing(held)} AND {exact})"
    return exact


def _contained(source: Json, path: Path, bind: Bind, wanted: Sequence[Any]) -> str:
    """Write whether one of these scalars is there: to PostgreSQL a list contains its elements, and a scalar itself.

    Not so for a list inside an object, which is asked for as such.
    """
    if not source.is_list:
        return " OR ".join(f"{path.value} @> {bind(one, 'jsonb')}" for one in wanted)
    held = [[{source.keys[0]: value}] for one in wanted for value in (one, [one])]
    return " OR ".join(f"{source.column} @> {bind(one, 'jsonb')}" for one in held)


def numbers(source: Json, bind: Bind, test: Test) -> str:
    """Write whether a test of numeric holds for any element."""
    path = Path(source, bind)
    lists = path.any_row(test(_NUMBER))
    if source.is_list:
        return lists
    digits = f"CASE WHEN {path.text} ~ '^(?:{DECIMAL})$' THEN {test(f'{path.text}::numeric')} END"
    return path.cases({"number": test(f"{path.value}::numeric"), "string": digits}, lists)


def counted(source: Json, bind: Bind, index: Index, operands: Sequence[Decimal], *, none_fits: bool) -> str:
    """Write whether a number compares so with the operand, or one of them; what is not there, or no number, counts 0.

    PostgreSQL has an order of all JSON; the type is asked only of what is on the right side in it.
    """
    value = f"({' -> '.join((source.column, *(bind(key, 'text') for key in source.keys)))})"
    sign = _OPPOSITES[_SIGNS[index]] if none_fits else _SIGNS[index]
    if len(operands) == 1:
        test = f"{value} {sign} {bind(operands[0], 'jsonb')}"
    else:
        test = f"{value} {sign} {'ALL' if none_fits else 'ANY'} ({bind(list(operands), 'jsonb[]')})"
    found = f"({test} AND jsonb_typeof({value}) = 'number')"
    return f"({found} IS NOT TRUE)" if none_fits else found


def moments(source: Json, bind: Bind, test: Test) -> str:
    """Write whether a test of text that may be a date or date-time holds for any text.

    The test holds for nothing that is written like another kind of JSON.
    """
    path = Path(source, bind)
    element = test("(q.v #>> '{}')")
    lists = path.any_row(f"CASE jsonb_typeof(q.v) WHEN 'string' THEN {element} END")
    return lists if source.is_list else f"({test(path.text)} OR ({path.listed} AND {lists}))"


def presence(source: Json, bind: Bind) -> str:
    """Write whether there is any value but null."""
    path = Path(source, bind)
    lists = path.any_row("jsonb_typeof(q.v) <> 'null'")
    return lists if source.is_list else f"CASE WHEN {path.listed} THEN {lists} ELSE {path.text} IS NOT NULL END"


def count(source: Json, bind: Bind) -> str:
    """Write the number of elements but null; never NULL."""
    path = Path(source, bind)
    lists = f"(SELECT count(*) FROM {path.rows} WHERE jsonb_typeof(q.v) <> 'null')"
    if source.is_list:
        return lists
    return path.cases(dict.fromkeys(("string", "number", "boolean", "object"), "1"), lists, missing="0")


def _literal(value: str | bool | Decimal) -> str:
    """Write a scalar in jsonpath."""
    return quoted(value) if isinstance(value, str) else str(text_of(value))


def products(column: str, bind: Bind, index: Index, operands: Sequence[str], test: Test) -> str:
    """Write whether a test of text holds for any of the texts of any product."""
    wanted: list[Any] = scalars_of(operands) if index is Index.EQUAL else []
    if 0 < len(wanted) <= MAX_SCALARS:
        # First whether any value at all is it, then which.
        values = " || ".join(f"@ == {_literal(one)}" for one in wanted)
        held = [f"{column} @> {bind([{key: one}], 'jsonb')}" for one in wanted for key in PRODUCT_TEXTS]
        return f"({column} @? {bind(f'$[*].* ? ({values})', 'jsonpath')} AND ({' OR '.join(held)}))"
    exact = f"EXISTS (SELECT FROM (VALUES {_PRODUCT_ROWS}) AS q(v) WHERE {test(_TEXT)})"
    if index in (Index.EACH, Index.PREFIX) or _hits_are_exact(index, operands):
        # Looked at as it is written first: no text, and no number, that has it can do without.
        written = " OR ".join(test(f"(p.v ->> '{key}')") for key in PRODUCT_TEXTS)
        exact = f"({written}) AND {exact}"
    return f"EXISTS (SELECT FROM jsonb_array_elements({column}) AS p(v) WHERE {exact})"
