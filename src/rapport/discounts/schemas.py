"""The discount and the gift object: as they come in, as they are stored and shown.

`checked` takes what a request said and returns the stored form: a plain dict with the keys of the reference, whole
minor units, percentages as `int` or `Decimal`. Keys that are null are as absent (the official SDK sends null for
whatever it was not given); keys of another type of discount are refused.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Literal, get_args

import msgspec

from rapport.core.errors import InvalidPayload
from rapport.discounts.expressions import FormulaError
from rapport.discounts.formulas import OF_ITEM, parse

MAX_AMOUNT: Final = 2**53 - 1
MAX_UNITS: Final = 100_000
MAX_UNIT_KINDS: Final = 50
MAX_UNIT_TYPE_LENGTH: Final = 255
MAX_PERCENT_PLACES: Final = 6

Type = Literal["AMOUNT", "PERCENT", "FIXED", "UNIT"]
Effect = Literal[
    "APPLY_TO_ORDER",
    "APPLY_TO_ITEMS",
    "APPLY_TO_ITEMS_PROPORTIONALLY",
    "APPLY_TO_ITEMS_PROPORTIONALLY_BY_QUANTITY",
    "APPLY_TO_ITEMS_BY_QUANTITY",
    "ADD_MISSING_ITEMS",
    "ADD_NEW_ITEMS",
    "ADD_MANY_ITEMS",
    "ADD_SAME_ITEMS",
]
GiftEffect = Literal["APPLY_TO_ORDER", "APPLY_TO_ITEMS"]
Number = int | float

_TO_ITEMS_OR_ORDER = ("APPLY_TO_ORDER", "APPLY_TO_ITEMS")
# The first is what a discount without an effect has.
EFFECTS: Final[Mapping[str, tuple[str, ...]]] = {
    "AMOUNT": (
        *_TO_ITEMS_OR_ORDER,
        "APPLY_TO_ITEMS_PROPORTIONALLY",
        "APPLY_TO_ITEMS_PROPORTIONALLY_BY_QUANTITY",
        "APPLY_TO_ITEMS_BY_QUANTITY",
    ),
    "PERCENT": _TO_ITEMS_OR_ORDER,
    "FIXED": _TO_ITEMS_OR_ORDER,
    "UNIT": ("ADD_MISSING_ITEMS", "ADD_NEW_ITEMS", "ADD_MANY_ITEMS", "ADD_SAME_ITEMS"),
}
# A discount with one of these is worked out for each item: its formula may name the item.
_BY_ITEM: Final = ("APPLY_TO_ITEMS", "APPLY_TO_ITEMS_BY_QUANTITY")
UNITS_EFFECTS: Final = ("ADD_MISSING_ITEMS", "ADD_NEW_ITEMS")
# Each type's value, its formula, and its limits.
_VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "AMOUNT": ("amount_off", "amount_off_formula", "aggregated_amount_limit"),
    "PERCENT": ("percent_off", "percent_off_formula", "amount_limit", "aggregated_amount_limit"),
    "FIXED": ("fixed_amount", "fixed_amount_formula"),
    "UNIT": ("unit_off", "unit_off_formula", "unit_type", "units"),
}
_LIMITS: Final = ("amount_limit", "aggregated_amount_limit")
_ALL_VALUES: Final = tuple(dict.fromkeys(name for names in _VALUES.values() for name in names))


class UnitOff(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One kind of free unit of a discount of many: `DiscountUnitMultipleOneUnit` of the reference."""

    effect: Literal["ADD_MISSING_ITEMS", "ADD_NEW_ITEMS"] | None = None
    unit_off: Number | None = None
    unit_off_formula: str | None = None
    unit_type: str | None = None
    product: dict[str, Any] | None = None
    sku: dict[str, Any] | None = None


class Discount(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A discount on the wire: `Discount` of the reference, every type in one; `checked` says what belongs together.

    `product`, `sku` and `is_dynamic` are of answers: a request may repeat them, and they are not stored.
    """

    type: Type
    effect: Effect | None = None
    amount_off: Number | None = None
    amount_off_formula: str | None = None
    percent_off: Number | None = None
    percent_off_formula: str | None = None
    fixed_amount: Number | None = None
    fixed_amount_formula: str | None = None
    unit_off: Number | None = None
    unit_off_formula: str | None = None
    unit_type: str | None = None
    units: list[UnitOff] | None = None
    amount_limit: Number | None = None
    aggregated_amount_limit: Number | None = None
    product: dict[str, Any] | None = None
    sku: dict[str, Any] | None = None
    is_dynamic: bool | None = None

    def given(self) -> dict[str, Any]:
        """Return what the request said, for `checked`."""
        shown: dict[str, Any] = msgspec.to_builtins(self)
        return shown


class Gift(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A gift card's money on the wire, in minor units: `Gift` of the reference."""

    amount: Number | None = None
    balance: Number | None = None
    subtracted_amount: Number | None = None
    effect: GiftEffect | None = None

    def given(self) -> dict[str, Any]:
        """Return what the request said, for `checked_gift`."""
        shown: dict[str, Any] = msgspec.to_builtins(self)
        return shown


def checked(
    raw: Mapping[str, Any], path: str = ".discount", current: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the stored form of a discount. Raises InvalidPayload, which names the property below `path`.

    `current` is the discount that is stored now: an update that names no limit keeps its limits, if the type stays.
    """
    if not isinstance(raw, Mapping):
        raise InvalidPayload(f"Property {path} should be an object")
    kind = _one_of(raw.get("type"), get_args(Type), f"{path}.type")
    for name in _ALL_VALUES:
        if raw.get(name) is not None and name not in _VALUES[kind]:
            raise InvalidPayload(f"Property {path}.{name} does not belong to a discount of type {kind}")
    if kind == "UNIT":
        return {"type": kind, **_unit_discount(raw, path)}
    effect = _effect(raw, EFFECTS[kind], path)
    value, formula = _VALUES[kind][:2]
    stored = {"type": kind, value: _value(raw, value, path)}
    _add_formula(stored, raw, formula, path, by_item=effect in _BY_ITEM)
    kept = current if current is not None and current.get("type") == kind else {}
    for name in _LIMITS:
        limit = raw.get(name)
        if limit is not None:
            stored[name] = whole(limit, f"{path}.{name}", MAX_AMOUNT)
        elif kept.get(name) is not None:
            stored[name] = kept[name]
    return stored | {"effect": effect}


def checked_gift(raw: Mapping[str, Any], path: str = ".gift") -> dict[str, Any]:
    """Return the stored form of a new gift card's money: its amount is its balance. Raises InvalidPayload."""
    if not isinstance(raw, Mapping):
        raise InvalidPayload(f"Property {path} should be an object")
    amount = whole(_required(raw, "amount", path), f"{path}.amount", MAX_AMOUNT)
    balance = raw.get("balance")
    if balance is not None and whole(balance, f"{path}.balance", MAX_AMOUNT) != amount:
        raise InvalidPayload(f"Property {path}.balance should be the amount of a new gift card, or absent")
    if raw.get("subtracted_amount"):
        raise InvalidPayload(f"Property {path}.subtracted_amount should be 0 for a new gift card, or absent")
    return {"amount": amount, "balance": amount, "effect": _effect(raw, get_args(GiftEffect), path)}


def whole(value: Any, path: str, most: int, least: int = 0) -> int:
    """Return a whole number within bounds; 500.0 is 500. Raises InvalidPayload."""
    number = _exact(value)
    if number is None or number != number.to_integral_value():
        raise InvalidPayload(f"Property {path} should be a whole number")
    if not least <= number <= most:
        raise InvalidPayload(f"Property {path} should be from {least} to {most}")
    return int(number)


def percentage(value: Any, path: str) -> int | Decimal:
    """Return a percentage from 0 to 100, exact to some decimal places. Raises InvalidPayload."""
    exact = _exact(value)
    if exact is None:
        raise InvalidPayload(f"Property {path} should be a number")
    if not 0 <= exact <= 100:
        raise InvalidPayload(f"Property {path} should be from 0 to 100")
    rounded = round(exact, MAX_PERCENT_PLACES)
    if rounded != exact:
        raise InvalidPayload(f"Property {path} should have at most {MAX_PERCENT_PLACES} decimal places")
    return int(rounded) if rounded == int(rounded) else rounded.normalize()


def _exact(value: Any) -> Decimal | None:
    """Return a number of JSON as it was written; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    exact = value if isinstance(value, Decimal) else Decimal(str(value) if isinstance(value, float) else value)
    return exact if exact.is_finite() else None


def _value(raw: Mapping[str, Any], name: str, path: str) -> int | Decimal:
    """Return the value of a discount, which is also what holds where its formula cannot be worked out."""
    value = _required(raw, name, path)
    if name == "percent_off":
        return percentage(value, f"{path}.{name}")
    return whole(value, f"{path}.{name}", MAX_AMOUNT)


def _unit_discount(raw: Mapping[str, Any], path: str) -> dict[str, Any]:
    units = raw.get("units")
    if units is None and raw.get("effect") != "ADD_MANY_ITEMS":
        return _unit(raw, EFFECTS["UNIT"], path)
    _effect({"effect": "ADD_MANY_ITEMS", **_present(raw, ("effect",))}, ("ADD_MANY_ITEMS",), path)
    for name in ("unit_off", "unit_off_formula", "unit_type"):
        if raw.get(name) is not None:
            raise InvalidPayload(f"Property {path}.{name} does not belong beside {path}.units")
    if not isinstance(units, list | tuple) or not 1 <= len(units) <= MAX_UNIT_KINDS:
        raise InvalidPayload(f"Property {path}.units should be a list of 1 to {MAX_UNIT_KINDS} objects")
    stored = []
    for index, unit in enumerate(units):
        where = f"{path}.units[{index}]"
        if not isinstance(unit, Mapping):
            raise InvalidPayload(f"Property {where} should be an object")
        stored.append(_unit(unit, UNITS_EFFECTS, where))
    return {"effect": "ADD_MANY_ITEMS", "units": stored}


def _unit(raw: Mapping[str, Any], effects: tuple[str, ...], path: str) -> dict[str, Any]:
    stored: dict[str, Any] = {}
    # Without a number to fall back on, a formula that cannot be worked out refuses the discount.
    if not raw.get("unit_off_formula") or raw.get("unit_off") is not None:
        stored["unit_off"] = whole(_required(raw, "unit_off", path), f"{path}.unit_off", MAX_UNITS, 1)
    _add_formula(stored, raw, "unit_off_formula", path, by_item=False)
    unit_type = _required(raw, "unit_type", path)
    if not isinstance(unit_type, str) or not 1 <= len(unit_type) <= MAX_UNIT_TYPE_LENGTH:
        raise InvalidPayload(f"Property {path}.unit_type should be the id of a product or a SKU")
    return stored | {"unit_type": unit_type, "effect": _effect(raw, effects, path)}


def _add_formula(stored: dict[str, Any], raw: Mapping[str, Any], name: str, path: str, *, by_item: bool) -> None:
    text = raw.get(name)
    if text is None or text == "":
        return
    if not isinstance(text, str):
        raise InvalidPayload(f"Property {path}.{name} should be text")
    try:
        formula = parse(text)
    except FormulaError as error:
        raise InvalidPayload(f"Property {path}.{name} is not a formula: {error.details}") from error
    if formula.by_item and not by_item:
        named = ", ".join(sorted(formula.names & OF_ITEM))
        effects = " or ".join(_BY_ITEM)
        raise InvalidPayload(f"Property {path}.{name} may name {named} only where the effect is {effects}")
    stored[name] = text


def _effect(raw: Mapping[str, Any], effects: tuple[str, ...], path: str) -> str:
    effect = raw.get("effect")
    return effects[0] if effect is None else _one_of(effect, effects, f"{path}.effect")


def _one_of(value: Any, allowed: tuple[str, ...], path: str) -> str:
    if value is None:
        raise InvalidPayload(f"Missing required property {path}")
    if not isinstance(value, str) or value not in allowed:
        raise InvalidPayload(f"Property {path} should be one of: {', '.join(allowed)}")
    return value


def _required(raw: Mapping[str, Any], name: str, path: str) -> Any:
    if raw.get(name) is None:
        raise InvalidPayload(f"Missing required property {path}.{name}")
    return raw[name]


def _present(raw: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: raw[name] for name in names if raw.get(name) is not None}
