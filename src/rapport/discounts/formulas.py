"""Formulas that work out a discount, as the reference writes them: read by hand, never run as code.

    IF(ORDER_AMOUNT > 100 AND CUSTOMER_METADATA("tier") = "gold"; 20; CUSTOMER_METADATA("age") / 2)

Amounts in a formula and amounts that it gives are in major units (12.5 is 12.50), as in the reference's examples. From
the loosest to the tightest: `OR`; `AND`; `NOT`; `=` `!=` `<>` `<` `<=` `>` `>=` `contains` `not contains` `starts with`
`ends with`; `+` `-`; `*` `/`; a minus before a value. Arguments are separated by `;` or `,`; capitals do not matter.
"""

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any, Final

import msgspec

from rapport.discounts.expressions import (
    COMPARISONS,
    FUNCTIONS,
    Arithmetic,
    Attribute,
    Call,
    Choice,
    Comparison,
    Constant,
    FormulaError,
    Junction,
    Negative,
    Node,
    Not,
    Switch,
    Variable,
    number,
)

MAX_LENGTH: Final = 2_000
MAX_DEPTH: Final = 24
MAX_PARTS: Final = 500
MAX_DIGITS: Final = 30

# What a line of the order is; a formula that names one of these is worked out for each line on its own.
ITEM_VARIABLES: Final = frozenset({"ORDER_ITEM_PRICE", "ORDER_ITEM_QUANTITY", "ORDER_ITEM_AMOUNT"})
ITEM_METADATA: Final = frozenset({"ORDER_ITEM_METADATA", "PRODUCT_METADATA", "SKU_METADATA"})
OF_ITEM: Final = ITEM_VARIABLES | ITEM_METADATA
# What the cart is.
CART_VARIABLES: Final = frozenset(
    {
        "ORDER_AMOUNT",
        "ORDER_INITIAL_AMOUNT",
        "ORDER_DISCOUNT_AMOUNT",
        "ORDER_TOTAL_AMOUNT",
        "ORDER_ITEMS_COUNT",
        "ORDER_UNITS_QUANTITY",
        "CHEAPEST_ORDER_ITEM_PRICE",
        "MOST_EXPENSIVE_ORDER_ITEM_PRICE",
    }
)
# What whoever applies the discount may know besides.
GIVEN_VARIABLES: Final = frozenset(
    {
        "VOUCHER_PUBLISH_COUNT",
        "VOUCHER_REDEMPTION_COUNT",
        "VOUCHER_CUSTOMER_REDEMPTION_COUNT",
        "CAMPAIGN_REDEMPTION_COUNT",
        "CAMPAIGN_CUSTOMER_REDEMPTION_COUNT",
    }
)
GIVEN_METADATA: Final = frozenset(
    {
        "CUSTOMER_METADATA",
        "ORDER_METADATA",
        "REDEEMABLE_METADATA",
        "REDEMPTION_METADATA",
        "PUBLICATION_METADATA",
        "PROMOTION_TIER_METADATA",
        "CAMPAIGN_METADATA",
    }
)
VARIABLES: Final = ITEM_VARIABLES | CART_VARIABLES | GIVEN_VARIABLES
METADATA: Final = ITEM_METADATA | GIVEN_METADATA

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<number>[0-9]+(?:\.[0-9]+)?)(?![\w.])
      | (?P<text>"(?:[^"\\]|\\["'\\])*"|'(?:[^'\\]|\\["'\\])*')
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign><=|>=|<>|!=|==|[-+*/()=<>;,])
    )""",
    re.VERBOSE,
)
_BLANK: Final = re.compile(r"\s*")
_SAME: Final[Mapping[str, str]] = {"<>": "!=", "==": "=", ",": ";"}
_TWO_WORDS: Final[Mapping[str, str]] = {"NOT": "CONTAINS", "STARTS": "WITH", "ENDS": "WITH"}


class Token(msgspec.Struct, frozen=True):
    """A word, a sign, a number or a text, and where it stands."""

    kind: str
    text: str
    at: int


class Formula(msgspec.Struct, frozen=True):
    """A formula that was read."""

    text: str
    root: Node
    names: frozenset[str]

    @property
    def by_item(self) -> bool:
        """Whether it may be worth something else on each line of the order."""
        return bool(self.names & OF_ITEM)

    def number(self, scope: Mapping[str, Any]) -> Fraction:
        """Return the number that it comes to. Raises FormulaError."""
        return number(self.root.value(scope))


def given_names(discount: Mapping[str, Any] | None, others: Iterable[str] = ()) -> frozenset[str]:
    """Return what the formulas of a stored discount, and others, name that only whoever applies it knows."""
    stated = () if discount is None else (discount, *discount.get("units", ()))
    texts = [str(text) for one in stated for name, text in one.items() if name.endswith("_formula")]
    return frozenset[str]().union(*map(_given_names, (*texts, *others)))


def _given_names(text: str) -> frozenset[str]:
    try:
        return parse(text).names & (GIVEN_VARIABLES | GIVEN_METADATA)
    except FormulaError:  # it names nothing that could be read; applying it says what is wrong
        return frozenset()


@functools.lru_cache(maxsize=1_024)
def parse(text: str) -> Formula:
    """Read a formula. Raises FormulaError, which says where it cannot be read."""
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"A formula has at most {MAX_LENGTH} characters")
    parser = _Parser(_tokens(text))
    root = parser.condition()
    parser.end()
    return Formula(text, root, frozenset(parser.names))


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    at = 0
    while (start := _skip_blank(text, at)) < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise FormulaError(f"Character {start + 1} cannot be read")
        kind = str(match.lastgroup)
        token = match.group(kind)
        if kind == "word":
            token = token.upper()
        elif kind == "text":
            token = re.sub(r"\\(.)", r"\1", token[1:-1])
        elif kind == "number" and len(token) > MAX_DIGITS:
            raise FormulaError(f"A number has at most {MAX_DIGITS} digits")
        found.append(Token(kind, _SAME.get(token, token) if kind == "sign" else token, start + 1))
        at = match.end()
    if len(found) > MAX_PARTS:
        raise FormulaError(f"A formula has at most {MAX_PARTS} parts")
    return [*found, Token("end", "the end", len(text) + 1)]


def _skip_blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return at if match is None else match.end()


class _Parser:
    """Reads tokens from left to right, looking one or two ahead; `names` are the names it met."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0
        self.names: set[str] = set()

    def next_is(self, *texts: str, kind: str = "sign") -> bool:
        """Tell whether the next token is one of these."""
        token = self.tokens[self.at]
        return token.kind == kind and token.text in texts

    def take(self) -> Token:
        """Return the next token and go past it."""
        token = self.tokens[self.at]
        if token.kind != "end":
            self.at += 1
        return token

    def expect(self, sign: str) -> None:
        """Go past a sign. Raises FormulaError if something else stands there."""
        if not self.next_is(sign):
            raise self.refused(f"{sign} is expected")
        self.at += 1

    def end(self) -> None:
        """See that nothing is left. Raises FormulaError."""
        if self.tokens[self.at].kind != "end":
            raise self.refused("nothing more is expected")

    def refused(self, why: str) -> FormulaError:
        """Return the error about the next token."""
        token = self.tokens[self.at]
        return FormulaError(f"{why} where {token.text} stands, at character {token.at}")

    def condition(self) -> Node:
        """Read anything: the loosest operator is `OR`."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise FormulaError(f"A formula is nested at most {MAX_DEPTH} deep")
        node = self._junction("OR", self._all_of)
        self.depth -= 1
        return node

    def _all_of(self) -> Node:
        return self._junction("AND", self._negation)

    def _junction(self, word: str, operand: Callable[[], Node]) -> Node:
        operands = [operand()]
        while self.next_is(word, kind="word"):
            self.take()
            operands.append(operand())
        return operands[0] if len(operands) == 1 else Junction(word, tuple(operands))

    def _negation(self) -> Node:
        negated = False
        while self.next_is("NOT", kind="word"):
            self.take()
            negated = not negated
        node = self._comparison()
        return Not(node) if negated else node

    def _comparison(self) -> Node:
        left = self._sum()
        operator = self._comparison_sign()
        return left if operator is None else Comparison(left, operator, self._sum())

    def _comparison_sign(self) -> str | None:
        first, second = self.tokens[self.at], self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        if first.kind not in {"word", "sign"}:
            return None
        if first.text in COMPARISONS:
            self.at += 1
            return first.text
        if first.kind == "word" and second.kind == "word" and _TWO_WORDS.get(first.text) == second.text:
            self.at += 2
            return f"{first.text} {second.text}"
        return None

    def _sum(self) -> Node:
        return self._chain(("+", "-"), self._product)

    def _product(self) -> Node:
        return self._chain(("*", "/"), self._signed)

    def _chain(self, signs: tuple[str, ...], operand: Callable[[], Node]) -> Node:
        first = operand()
        rest = []
        while self.next_is(*signs):
            rest.append((self.take().text, operand()))
        return Arithmetic(first, tuple(rest)) if rest else first

    def _signed(self) -> Node:
        negative = signed = False
        while self.next_is("-", "+"):
            negative ^= self.take().text == "-"
            signed = True
        node = self._primary()
        if negative:
            return Negative(node)
        return Arithmetic(Constant(Fraction(0)), (("+", node),)) if signed else node

    def _primary(self) -> Node:
        if self.next_is("("):
            self.take()
            node = self.condition()
            self.expect(")")
            return node
        token = self.tokens[self.at]
        if token.kind == "number":
            return Constant(Fraction(self.take().text))
        if token.kind == "text":
            return Constant(self.take().text)
        if token.kind != "word":
            raise self.refused("a value is expected")
        return self._named()

    def _named(self) -> Node:
        name = self.tokens[self.at].text
        if name in VARIABLES:
            self.take()
            self.names.add(name)
            return Variable(name)
        if name in METADATA:
            self.take()
            self.names.add(name)
            self.expect("(")
            if self.tokens[self.at].kind != "text":
                raise self.refused("the name of a metadata value, in quotes, is expected")
            key = self.take().text
            self.expect(")")
            return Attribute(name, key)
        return self._call(name)

    def _call(self, name: str) -> Node:
        least, most = _ARGUMENTS.get(name, (1, 0))
        if most == 0:
            raise self.refused("a known name is expected")
        at = self.take().at
        self.expect("(")
        arguments = [self.condition()]
        while self.next_is(";"):
            self.take()
            arguments.append(self.condition())
        self.expect(")")
        if not least <= len(arguments) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise FormulaError(f"{name} at character {at} takes {wanted} arguments, not {len(arguments)}")
        return _made(name, tuple(arguments))


# The functions that do not look at all of their arguments, or take conditions, stand beside those of numbers.
_ARGUMENTS: Final[Mapping[str, tuple[int, int]]] = {
    "IF": (3, 3),
    "SWITCH": (3, 50),
    "AND": (1, 50),
    "OR": (1, 50),
    **{name: (function.least, function.most) for name, function in FUNCTIONS.items()},
}


def _made(name: str, arguments: tuple[Node, ...]) -> Node:
    if name == "IF":
        return Choice(*arguments)
    if name in {"AND", "OR"}:
        return Junction(name, arguments)
    if name == "SWITCH":
        subject, *rest = arguments
        if len(rest) % 2 == 0:
            raise FormulaError("SWITCH takes a value, cases with their results, and what is for all others")
        return Switch(subject, tuple(zip(rest[:-1:2], rest[1:-1:2], strict=True)), rest[-1])
    return Call(name, arguments)
