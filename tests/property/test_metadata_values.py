"""What `check` stored is accepted again and stays what it is; and a cell of a file means what the value does."""

import contextlib
from datetime import UTC
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from rapport.core import jsons
from rapport.metadata.models import TYPES, Definition, Schema, link
from rapport.metadata.values import InvalidValue, MetadataInvalid, check, from_text

KEYS = ("a", "b", "c", "first.name")
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)
instants = st.datetimes(timezones=st.just(UTC))
numbers = st.integers(-(10**20), 10**20) | st.decimals(-1000, 1000, places=3)
scalars = st.one_of(
    texts,
    numbers,
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
    st.dates().map(lambda day: day.isoformat()),
    instants.map(lambda at: at.isoformat()),
    instants.map(lambda at: at.strftime("%H:%M")),
    st.tuples(st.decimals(-91, 91, places=4), st.decimals(-181, 181, places=4)).map(
        lambda pair: f"{pair[0]},{pair[1]}"
    ),
    st.sampled_from(("https://example.com/a.png", "http://x/b.JPG?c", "http.com", "5", "true", "1e5")),
)
values = st.one_of(scalars, st.lists(scalars, max_size=3), st.dictionaries(st.sampled_from(KEYS), scalars, max_size=3))
# As the API reads it: numbers with a fraction are decimals.
metadatas = st.dictionaries(st.sampled_from(KEYS), values, max_size=4).map(lambda one: jsons.decode(jsons.encode(one)))


@st.composite
def definitions(draw: st.DrawFn, *, nested: bool = False) -> Definition:
    """Draw a definition, rules included."""
    kind: Any = draw(st.sampled_from([one for one in TYPES if not nested or one != "object"]))
    rules: dict[str, Any] = {}
    if kind == "string" and draw(st.booleans()):
        rules = {"min_length": draw(st.integers(0, 2)), "max_length": draw(st.integers(2, 6))}
    if kind == "number" and draw(st.booleans()):
        rules = {"gte": Decimal(draw(st.integers(-100, 0))), "lt": Decimal(draw(st.integers(1, 1000)))}
    if kind == "object":
        rules = {"object_type": draw(st.sampled_from(("Box", "unknown")))}
    switches = {name: draw(st.booleans()) for name in ("optional", "array")}
    return Definition(type=kind, deleted=draw(st.integers(0, 9)) == 0, **switches, **rules)


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    """Draw the schema of a resource, which may hold objects of a custom one."""
    found = {
        name: (
            draw(st.dictionaries(st.sampled_from(KEYS), definitions(nested=nested), max_size=4)),
            draw(st.integers(0, 3)) == 0,
        )
        for name, nested in (("customer", False), ("Box", True))
    }
    return link(found)["customer"]


def stored_or_none(schema: Schema, metadata: dict[str, Any], before: dict[str, Any] | None = None) -> Any:
    """Return what is stored of metadata, None where it is refused."""
    try:
        return check(schema, metadata, before=before)
    except MetadataInvalid:
        return None


@given(schema=schemas(), metadata=metadatas)
def test_what_was_stored_is_accepted_again_and_stays_as_it_is(schema: Schema, metadata: dict[str, Any]) -> None:
    stored = stored_or_none(schema, metadata)
    assume(stored is not None)
    read = jsons.decode(jsons.encode(stored))
    assert None not in read.values()
    for given_back in (stored, read):
        assert jsons.alike(check(schema, given_back), read)
        assert jsons.alike(check(schema, given_back, before=read), read)


@given(schema=schemas(), before=metadatas, change=metadatas)
def test_an_update_leaves_the_rest_alone_and_stores_what_fits(
    schema: Schema, before: dict[str, Any], change: dict[str, Any]
) -> None:
    before = {key: value for key, value in before.items() if value is not None}
    merged = {key: value for key, value in {**before, **change}.items() if value is not None}
    stored = stored_or_none(schema, merged, before)
    assume(stored is not None)
    assert stored.keys() == merged.keys()
    touched = [key for key in merged if key not in before or not jsons.alike(merged[key], before[key])]
    for key in merged.keys() - set(touched):
        assert jsons.alike(stored[key], before[key])
    # What is new would have been stored in the same form without the old.
    for key in touched:
        free = {name: msgspec.structs.replace(one, optional=True) for name, one in schema.properties.items()}
        alone = Schema(schema.name, free, allow_defined_only=schema.allow_defined_only, nested=schema.nested)
        assert jsons.alike(check(alone, {key: merged[key]}), {key: stored[key]})
    assert jsons.alike(check(schema, stored, before=before), stored)


@given(schema=schemas(), key=st.sampled_from(KEYS), text=texts | scalars.filter(lambda one: isinstance(one, str)))
def test_a_cell_gives_a_value_of_its_type_or_says_why_not(schema: Schema, key: str, text: str) -> None:
    definition = schema.active.get(key)
    found: Any = InvalidValue
    with contextlib.suppress(InvalidValue):
        found = from_text(schema, key, text)
    if definition is None:
        assert found == text
    elif found is not InvalidValue:
        assert definition.array is isinstance(found, list)
        loose = Definition(type=definition.type, array=definition.array, object_type=definition.object_type)
        assert check(Schema("customer", {key: loose}), {key: found}) == {key: found}
