"""The page about discounts: every example comes to what the page says, and it names everything there is."""

import json
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from rapport.discounts import expressions, formulas, schemas
from rapport.discounts.applicable import Applicable, Target
from rapport.discounts.applying import apply
from rapport.discounts.cart import Cart, CatalogueItem
from rapport.discounts.schemas import checked

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "discounts.md").read_text()
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))


def examples(section: str, columns: int) -> list[tuple[str, list[str]]]:
    """Return what stands in the first column of a section's table, and the rest of each row."""
    found = re.findall(r"^\| `([^\n]*?)` \| ([^\n]*) \|$", SECTIONS[section], re.MULTILINE)
    assert found
    cells = [(first, rest.split(" | ")) for first, rest in found]
    assert all(len(rest) == columns for _, rest in cells)
    return cells


def shopping() -> Cart:
    table = re.findall(r"^\| (\w+) \| (\d+) \| (\d+) \| (\d+) \|$", PAGE, re.MULTILINE)
    assert [name for name, *_ in table] == ["shirt", "pens", "mugs"]
    items = [
        {"price": int(price), "quantity": int(quantity), "amount": int(amount)} for _, price, quantity, amount in table
    ]
    assert all(item["amount"] == item["price"] * item["quantity"] for item in items)
    return Cart.of(sum(item["amount"] for item in items), 0, items)


def offs(cart: Cart) -> list[int]:
    return [line.discount_amount for line in cart.lines]


def test_discounts_on_the_order() -> None:
    for text, (off, to_pay) in examples("On the order", 2):
        done = apply(checked(json.loads(text)), shopping())
        assert (done.cart.discount_amount, done.cart.total_amount) == (int(off), int(to_pay)), text
        assert offs(done.cart) == [0, 0, 0]


def test_discounts_on_the_items() -> None:
    seen = set()
    for text, (*parts, to_pay) in examples("On the items", 4):
        discount = checked(json.loads(text))
        done = apply(discount, shopping())
        assert (offs(done.cart), done.cart.total_amount) == ([int(part) for part in parts], int(to_pay)), text
        seen.add((discount["type"], discount["effect"]))
    every = {(kind, effect) for kind, effects in schemas.EFFECTS.items() for effect in effects}
    assert seen == {pair for pair in every if "APPLY_TO_ITEMS" in pair[1]}


def test_which_items() -> None:
    half = checked({"type": "PERCENT", "percent_off": 50, "effect": "APPLY_TO_ITEMS"})
    for text, parts in examples("Which items, and how many units of them", 3):
        limits: dict[str, Any] = json.loads(text)
        target = Target(object="products_collection", id="pc_1", lines=(0, 1, 2), **limits)
        done = apply(half, shopping(), applicable=Applicable(included=(target,)))
        assert offs(done.cart) == [int(part) for part in parts], text


def test_free_units() -> None:
    pen = {"prod_pen": CatalogueItem({"id": "prod_pen", "name": "Pen"}, price=1000)}
    seen = set()
    for text, numbers in examples("Free units", 4):
        before, after, free, to_pay = map(int, numbers)
        item = {"product_id": "prod_pen", "price": 1000, "quantity": before, "amount": 1000 * before}
        discount = checked(json.loads(text))
        done = apply(discount, Cart.of(1000 * before, 0, [item] if before else []), products=pen)
        found = done.cart.lines
        assert sum(line.quantity for line in found) == after, text
        assert sum(line.discount_quantity for line in found) == free, text
        assert done.cart.total_amount == to_pay, text
        seen.add(discount["effect"])
    assert seen == set(schemas.EFFECTS["UNIT"])


def test_formulas() -> None:
    known = {
        "ORDER_AMOUNT": 465,
        "ORDER_UNITS_QUANTITY": 4,
        "CUSTOMER_METADATA": {"age": 30, "tier": "gold", "brands": ["Acme", "Globex"]},
    }
    for text, (worth,) in examples("Formulas", 1):
        assert formulas.parse(text).number(known) == Fraction(Decimal(worth)), text


def test_the_page_names_all_there_is() -> None:
    text = SECTIONS["Formulas"]
    words = set(re.findall(r"[A-Z][A-Z_]+", text))
    assert formulas.VARIABLES | formulas.METADATA | set(expressions.FUNCTIONS) | {"IF", "SWITCH", "AND", "OR"} <= words
    assert all(f"`{sign.lower()}`" in text for sign in expressions.COMPARISONS)
    flat = re.sub(r"\s+", " ", text)
    assert f"up to {formulas.MAX_LENGTH:,} characters and {formulas.MAX_PARTS} parts" in flat
    assert f"nested at most {formulas.MAX_DEPTH} deep" in flat
    assert f"up to {schemas.MAX_PERCENT_PLACES} decimal places" in re.sub(r"\s+", " ", SECTIONS["On the order"])
