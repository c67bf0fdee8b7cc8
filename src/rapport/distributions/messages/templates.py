"""Liquid templates: parsed once, rendered with a customer's data within limits, never with data as source.

Two environments: `plain` for subjects and text, `html`, which escapes every value. Neither knows files, includes or a
way around the escaping. A template of a stranger may be hostile, so everything it can grow is bounded: the output, its
variables, the iterations of its loops, the values filters take and give, and the processor time of one rendering.
"""

import functools
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal
from zoneinfo import ZoneInfo

from liquid import Environment, RenderContext
from liquid.ast import Node
from liquid.builtin.expressions.primitive import IntegerLiteral, RangeLiteral
from liquid.exceptions import FilterArgumentError, LiquidError, ResourceLimitError
from liquid.expression import Expression
from liquid.filter import with_context
from liquid.template import BoundTemplate
from liquid.token import Token
from liquid.undefined import is_undefined

from rapport.core.clock import parse_instant
from rapport.core.errors import InvalidPayload

Kind = Literal["plain", "html"]

MAX_OUTPUT_BYTES = 1_000_000
MAX_LOCALS_BYTES = 500_000
MAX_ITERATIONS = 10_000
MAX_NESTING = 20
MAX_RANGE = 1_000
MAX_VALUE = 250_000  # characters of a text, or of all texts in a list
MAX_ITEMS = 2_000
MAX_BITS = 1_024
MAX_DATE_FORMAT = 100
RENDER_CPU_S = 0.25

_LEFT_OUT_TAGS = ("include", "render", "tablerow")
_LEFT_OUT_FILTERS = ("safe", "escapejs")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_WIDE = re.compile(r"%[^a-zA-Z%]*\d{3}")


class TemplateFailed(Exception):
    """A template could not be rendered with a customer's data."""


class _Context(RenderContext):
    """One rendering, with its share of time and iterations."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ends_at = time.thread_time() + RENDER_CPU_S
        self.iterations = 0

    def check(self) -> None:
        """Raise when the time is up."""
        if time.thread_time() > self.ends_at:
            raise ResourceLimitError("the template takes too long", token=None)

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        """Return a filter whose arguments and result are bounded."""
        self.check()
        return functools.partial(_within_bounds, super().filter(name, token))

    def assign(self, key: str, val: Any) -> None:
        """Set a variable."""
        self.check()
        super().assign(key, val)

    @contextmanager
    def loop(self, namespace: Mapping[str, object], forloop: Any) -> Iterator[RenderContext]:
        """Enter a loop, whose iterations are counted together with those of all others."""
        forloop.it = self._counted(forloop.it)
        with super().loop(namespace, forloop) as context:
            yield context

    def _counted(self, items: Iterator[Any]) -> Iterator[Any]:
        for item in items:
            self.iterations += 1
            if self.iterations > MAX_ITERATIONS:
                raise ResourceLimitError(f"the template loops more than {MAX_ITERATIONS} times", token=None)
            self.check()
            yield item


class _Template(BoundTemplate):
    context_class = _Context


class _Environment(Environment):
    block_nesting_limit = MAX_NESTING
    context_depth_limit = MAX_NESTING
    loop_iteration_limit = MAX_ITERATIONS
    local_namespace_limit = MAX_LOCALS_BYTES
    output_stream_limit = MAX_OUTPUT_BYTES
    template_class = _Template


def _weight(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, (list, tuple)):
        if len(value) > MAX_ITEMS:
            raise FilterArgumentError(f"a list of more than {MAX_ITEMS} items", token=None)
        return sum(_weight(item) for item in value)
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise FilterArgumentError("a number out of range", token=None)
    return 1


def _bound(value: object) -> None:
    if _weight(value) > MAX_VALUE:
        raise FilterArgumentError(f"a value of more than {MAX_VALUE} characters", token=None)


def _within_bounds(run: Callable[..., object], *args: object, **kwargs: object) -> object:
    for value in args:
        _bound(value)
    result = run(*args, **kwargs)
    _bound(result)
    return result


def _text(value: object) -> str:
    return "" if value is None or is_undefined(value) else str(value)


def _replace(value: object, old: object, new: object = "") -> str:
    """Replace every occurrence; the only filters that multiply lengths are this one and `join`."""
    text, wanted, instead = _text(value), _text(old), _text(new)
    if text.count(wanted) * len(instead) > MAX_VALUE:
        raise FilterArgumentError(f"a value of more than {MAX_VALUE} characters", token=None)
    return text.replace(wanted, instead)


def _join(value: object, glue: object = " ") -> str:
    items = list(value) if isinstance(value, (list, tuple, range)) else [] if is_undefined(value) else [value]
    between = _text(glue)
    if len(items) * len(between) > MAX_VALUE:
        raise FilterArgumentError(f"a value of more than {MAX_VALUE} characters", token=None)
    return between.join(_text(item) for item in items)


def _money(value: object) -> object:
    """Write minor units with two decimals: 1999 is `19.99`. What is not a number stays as it is."""
    if value is None or is_undefined(value):
        return ""
    try:
        return f"{Decimal(str(value)) / 100:.2f}"
    except InvalidOperation:
        return value


@with_context
def _date(value: object, layout: object = "%Y-%m-%d", *, context: RenderContext) -> object:
    """Write an instant in the project's time zone as strftime does; what is not an instant stays as it is.

    A calendar date is that day in every zone; `"now"` is the time of sending.
    """
    if value is None or is_undefined(value):
        return ""
    text = _text(context.resolve("now", default="")) if value in {"now", "today"} else str(value)
    shape = _text(layout)
    if len(shape) > MAX_DATE_FORMAT or _WIDE.search(shape) or "\x00" in shape:
        raise FilterArgumentError("a date format that is too long", token=None)
    try:
        moment = parse_instant(text)
    except ValueError:
        return value
    zone = context.resolve("time_zone", default=None)
    if isinstance(zone, str) and not _DAY.fullmatch(text):
        moment = moment.astimezone(ZoneInfo(zone))
    return moment.strftime(shape)


def _environment(*, autoescape: bool) -> Environment:
    made = _Environment(autoescape=autoescape)
    for name in _LEFT_OUT_TAGS:
        del made.tags[name]
    for name in _LEFT_OUT_FILTERS:
        del made.filters[name]
    made.add_filter("replace", _replace)
    made.add_filter("join", _join)
    made.add_filter("money", _money)
    made.add_filter("date", _date)
    return made


_ENVIRONMENTS: dict[Kind, Environment] = {
    "plain": _environment(autoescape=False),
    "html": _environment(autoescape=True),
}


def _line(source: str, index: int) -> int:
    return source.count("\n", 0, max(index, 0)) + 1


def _unknown_filter(template: BoundTemplate, source: str) -> str | None:
    for name, spans in template.analyze(include_partials=False).filters.items():
        if name not in template.env.filters:
            return f"line {_line(source, spans[0].index)}: unknown filter '{name}'"
    return None


def _expressions(template: BoundTemplate) -> Iterator[Expression]:
    context = RenderContext(template)
    nodes: list[Node] = list(template.nodes)
    while nodes:
        node = nodes.pop()
        nodes.extend(node.children(context, include_partials=False))
        waiting = list(node.expressions())
        while waiting:
            expression = waiting.pop()
            waiting.extend(expression.children())
            yield expression


def _long_range(template: BoundTemplate, source: str) -> str | None:
    for found in _expressions(template):
        if not isinstance(found, RangeLiteral):
            continue
        start, stop = found.start, found.stop
        short = (
            isinstance(start, IntegerLiteral)
            and isinstance(stop, IntegerLiteral)
            and abs(stop.value - start.value) < MAX_RANGE
        )
        if not short:
            line = _line(source, found.token.start_index)
            return f"line {line}: a range takes two whole numbers at most {MAX_RANGE} apart, such as (1..5)"
    return None


@functools.lru_cache(maxsize=256)
def _parse(source: str, kind: Kind) -> BoundTemplate:
    try:
        template = _ENVIRONMENTS[kind].from_string(source)
        problem = _unknown_filter(template, source) or _long_range(template, source)
    except LiquidError as error:
        line = "" if error.token is None else f"line {_line(source, error.token.start_index)}: "
        raise ValueError(f"{line}{error.message}") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if problem:
        raise ValueError(problem)
    return template


def check(source: str, kind: Kind, field: str) -> None:
    """Raise InvalidPayload, naming the field and the line, for a template that does not parse."""
    try:
        _parse(source, kind)
    except ValueError as error:
        raise InvalidPayload(f"Property {field} is not a valid template: {error}") from error


def render(source: str, kind: Kind, variables: Mapping[str, Any]) -> str:
    """Return the template filled with the variables; undefined ones are empty. Raises TemplateFailed.

    The variables are plain values: dicts, lists, text, numbers, as `values` makes them.
    """
    try:
        return _parse(source, kind).render(**variables)
    except LiquidError as error:
        line = "" if error.token is None else f"line {_line(source, error.token.start_index)}: "
        raise TemplateFailed(f"{line}{error.message}") from error
    except Exception as error:
        raise TemplateFailed(type(error).__name__) from error


def values(value: Any) -> Any:
    """Return JSON-like data as templates take it: decimals as plain numbers, instants as text."""
    if isinstance(value, dict):
        return {key: values(item) for key, item in value.items()}
    if isinstance(value, list):
        return [values(item) for item in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and abs(value) < Decimal(2**53) else float(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value
