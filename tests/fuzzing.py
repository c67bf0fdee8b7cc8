"""Sending an API what its own document says it takes, and what it does not, and holding each answer against it."""

import collections
import contextlib
import itertools
import json
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition, Unsatisfiable, UnsatisfiedAssumption
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

# How often a parameter of a path is the name of something that is there, a query is left out, a body is accepted as it
# is, and a request is one of a few by its key.
KNOWN, BARE, ACCEPTABLE, REPEATED = 0.8, 0.6, 0.4, 0.05
# How often nothing may come of drawing a request: of what can be drawn, one of the first ten tries does.
TRIES = 100
# What makes the thing that the end of its path names, and how often that is a new name.
MAKES, NEW = ("POST /v1/vouchers/{}", "POST /v1/campaigns/{}/vouchers/{}"), 0.4
# A longer address is refused by the parser of HTTP, in its own words.
LONGEST_ADDRESS = 65_535
# Where in a path the ids of things belong, by how they begin.
PARTS = {
    "aa": "async-actions",
    "asgm": "assignments",
    "bt": "backtests",
    "camp": "campaigns",
    "cnst": "consents",
    "cust": "customers",
    "dev": "devices",
    "dist": "distributions",
    "exp": "exports",
    "imp": "imports",
    "merge": "merges",
    "msg": "messages",
    "ord": "orders",
    "r": "redemptions",
    "seg": "segments",
    "stk": "stacking-rules",
    "val": "validation-rules",
}
_ID = re.compile(r'"id":"(([a-z]+)_[0-9A-Za-z]{24})"')
_CODE = re.compile(r'"code":"([0-9A-Za-z-]+)"')
_LINK = re.compile(r'"(https?://[^"]+[?&](?:token|signature)=[^"]+)"')
# Values that have broken something, somewhere.
NASTY: Sequence[Any] = (
    None,
    True,
    "",
    "\x00",
    "\ud800",
    "é" * 300,
    "x" * 5_000,
    "%s{{ 1 }}'\";--",
    0,
    -1,
    2**31,
    2**63,
    10**30,
    1e308,
    0.1,
    "1e400",
    "2024-02-30",
    "9999-12-31T23:59:59.999Z",
    "0001-01-01T00:00:00+14:00",
    "-000001-01-01",
    "infinity",
    [],
    {},
    [None],
    {"": None},
    {"a": [[[[[[[{"b": 1}]]]]]]]},
)


@dataclass(frozen=True)
class Lines:
    """A body that is newline-delimited JSON."""

    things: list[Any]


@dataclass(frozen=True)
class File:
    """A body that is a form with one file."""

    content: bytes


@dataclass
class Run:
    """What was sent, and what was wrong with the answers: by operation, with how to do it again."""

    sent: collections.Counter[str] = field(default_factory=collections.Counter)
    good: collections.Counter[str] = field(default_factory=collections.Counter)
    statuses: collections.Counter[int] = field(default_factory=collections.Counter)
    wrong: dict[str, list[str]] = field(default_factory=lambda: collections.defaultdict(list))

    def report(self) -> str:
        """Return what was wrong, three examples an operation."""
        return "\n\n".join(f"{label}\n" + "\n".join(found[:3]) for label, found in sorted(self.wrong.items()))

    def never_good(self) -> list[str]:
        """Return the operations that never did what they were asked for."""
        return sorted(label for label in self.sent if not self.good[label])

    def note(self, label: str, status: int) -> None:
        """Note an answer."""
        self.sent[label] += 1
        self.statuses[status] += 1
        self.good[label] += 200 <= status < 300

    @property
    def count(self) -> int:
        """How many requests were sent."""
        return sum(self.sent.values())


@schemathesis.serializer("application/x-ndjson")
def _as_it_is(_context: Any, value: Any) -> bytes:
    """Send a body of lines as it was made up."""
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


def operations(document: Mapping[str, Any], served: Iterable[tuple[str, str]] | None = None) -> list[Any]:
    """Return the operations of a document: all, or those that are served (method in capitals, path template)."""
    schema = schemathesis.openapi.from_dict(keyless(document))
    found = [result.ok() for result in schema.get_all_operations()]
    if served is None:
        return found
    wanted = {(method, shape(path)) for method, path in served}
    return [one for one in found if (one.method.upper(), shape(one.path)) in wanted]


def keyless(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document that asks for no keys: ours are sent with each request, and none are made up."""
    paths = {
        path: {
            method: {key: value for key, value in one.items() if key != "security"} if isinstance(one, dict) else one
            for method, one in methods.items()
        }
        for path, methods in document["paths"].items()
    }
    components = {key: value for key, value in document["components"].items() if key != "securitySchemes"}
    return {**document, "paths": paths, "components": components}


_NULL: Mapping[str, Any] = {"type": "string", "nullable": True, "enum": [None]}


# What the reference requires and its SDK takes null for: API keys are no users.
_NULLABLE = ("user_id",)


def readable(node: Any, *, names: bool = False) -> Any:
    """Return a document of the reference as its SDK reads and writes it; `names`: the keys are those of properties.

    Alternatives of `oneOf` overlap, so that none would fit: they are `anyOf`. Whatever is not required may be null.
    """
    if isinstance(node, list):
        return [readable(item) for item in node]
    if not isinstance(node, dict):
        return node
    if names:
        return {name: readable(value) for name, value in node.items()}
    turned = {
        "anyOf" if name == "oneOf" else name: readable(value, names=name == "properties")
        for name, value in node.items()
    }
    if isinstance(node.get("properties"), dict) and node.get("type", "object") == "object":
        needed = [name for name in node.get("required", ()) if name not in _NULLABLE]
        turned["properties"] = {
            name: one if name in needed else {"anyOf": [one, _NULL]} for name, one in turned["properties"].items()
        }
    return turned


def shape(path: str) -> str:
    """Return a path template without the names of its parameters."""
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def blend(rng: random.Random, body: Any, other: Any) -> Any:
    """Return a body with something of another in it, or with a nasty value somewhere."""
    if isinstance(body, dict) and isinstance(other, dict) and other and rng.random() < 0.6:
        taken = rng.sample(sorted(other, key=str), rng.randrange(1, min(3, len(other)) + 1))
        return {**body, **{name: other[name] for name in taken}}
    if isinstance(body, list) and isinstance(other, list) and other and rng.random() < 0.6:
        return [*body, rng.choice(other)]
    return spoilt(rng, body)


def spoilt(rng: random.Random, body: Any) -> Any:
    """Return a body with a nasty value in one place of it."""
    if not body or not isinstance(body, dict | list) or rng.random() < 0.1:
        return rng.choice(NASTY)
    if isinstance(body, list):
        place = rng.randrange(len(body))
        return [*body[:place], spoilt(rng, body[place]), *body[place + 1 :]]
    name = rng.choice(list(body))
    if rng.random() < 0.1:
        return {**body, str(rng.choice(NASTY)): body[name]}
    return {**body, name: spoilt(rng, body[name])}


def _damaged(content: bytes, rng: random.Random) -> bytes:
    """Return a file with something wrong with it."""
    pieces = (
        b'"',
        b"\x00",
        b"\xff",
        b",",
        b";",
        b"\r",
        b"\n\n",
        b"=1+1",
        b"\xef\xbb\xbf",
        "é".encode(),
        b"x" * 70_000,
        b"",
    )
    for _ in range(rng.randrange(1, 4)):
        place = rng.randrange(len(content) + 1)
        content = content[:place] + rng.choice(pieces) + content[place + rng.randrange(4) :]
    return content.decode().encode("utf-16") if rng.random() < 0.05 and content.isascii() else content


def _text(answer: Any) -> str:
    """Return what was answered; pictures are no text, but they are answers."""
    return str(answer.content.decode(errors="replace"))


@dataclass
class Fuzzer:
    """Sends requests to one project.

    `keys`: its headers, by the part of the path that they are for. `names` are of things that are there, by the part of
    the path before them; `links` are signed. `accepted` makes bodies, and `queries` query parameters, by method and
    shape of the path.
    """

    base_url: str
    keys: Mapping[str, Mapping[str, str]]
    names: Mapping[str, list[str]]
    number: int
    links: list[str] = field(default_factory=list)
    accepted: Mapping[str, Callable[[random.Random, Any], Any]] = field(default_factory=dict)
    queries: Mapping[str, Callable[[random.Random, Any], Any]] = field(default_factory=dict)
    checks: Sequence[Any] = (
        not_a_server_error,
        response_schema_conformance,
        content_type_conformance,
        status_code_conformance,
    )
    # Operation and a part of its answer, or of what is wrong with that, and why it stays.
    deviations: Mapping[tuple[str, str], str] = field(default_factory=dict)
    run: Run = field(default_factory=Run)
    seen: dict[str, collections.deque[str]] = field(
        default_factory=lambda: collections.defaultdict(lambda: collections.deque(maxlen=30))
    )

    def fuzz(self, operation: Any, examples: int) -> None:
        """Send about so many requests of one operation, half of them such as its document forbids."""
        with requests.Session() as session:
            for mode in GenerationMode:
                strategy = st.tuples(operation.as_strategy(generation_mode=mode), st.integers(0, 2**64))
                # Nothing can be wrong about some operations, and a few schemas of the reference exclude everything.
                with contextlib.suppress(Unsatisfiable):
                    self._send_all(session, strategy, max(1, examples // 2))

    def _send_all(self, session: requests.Session, strategy: Any, examples: int) -> None:
        before, tries = self.run.count, itertools.count()

        @st.composite
        def drawing(draw: Callable[[Any], Any]) -> Any:
            try:
                return draw(strategy)
            except UnsatisfiedAssumption:
                if next(tries) < TRIES or self.run.count > before:
                    raise
                raise Unsatisfiable from None

        @seed(self.number)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        @given(drawing())
        def send(drawn: tuple[Case, int]) -> None:
            case, number = drawn
            self.send(session, case, random.Random(f"{self.number} {self.run.count} {number}"))

        send()

    def send(self, session: requests.Session, case: Case, rng: random.Random) -> None:
        """Send one request and note what is wrong with its answer."""
        self._name(case, rng)
        if rng.random() < BARE:
            make = self.queries.get(f"{case.method} {shape(case.operation.path)}")
            case.query = {} if make is None else make(rng, self.names)
        self._show(case, rng)
        if case.headers and rng.random() > REPEATED:
            case.headers.pop("Idempotency-Key", None)
        headers = self.headers(case, rng)
        body = self._body(case, rng, headers)
        answer = case.call(base_url=self.base_url, session=session, timeout=60, headers=headers, **body)
        self.run.note(case.operation.label, answer.status_code)
        if answer.status_code < 300:
            self._learn(_text(answer))
        if len(answer.request.url) <= LONGEST_ADDRESS:
            self.check(case, answer)

    def headers(self, case: Case, rng: random.Random) -> dict[str, str]:
        """Return the keys of an operation, and now and then a key that makes repetitions harmless."""
        headers = dict(self.keys.get(case.operation.path.split("/")[1], self.keys[""]))
        if rng.random() < REPEATED:
            headers["Idempotency-Key"] = f"k{rng.randrange(20)}"
        return headers

    def _learn(self, text: str) -> None:
        for name, prefix in _ID.findall(text):
            if prefix in PARTS:
                self.seen[PARTS[prefix]].append(name)
        self.seen["vouchers"].extend(_CODE.findall(text))
        self.links.extend(_LINK.findall(text))

    def _body(self, case: Case, rng: random.Random, headers: dict[str, str]) -> dict[str, Any]:
        """Return the body that is accepted, or one between that and the one that was made up."""
        make = self.accepted.get(f"{case.method} {shape(case.operation.path)}")
        if make is None or rng.random() < 0.2:
            return {}
        body, as_it_is = make(rng, self.names), rng.random() < ACCEPTABLE
        if isinstance(body, File):
            content = body.content if as_it_is else _damaged(body.content, rng)
            return {"files": {"file": (rng.choice(["a.csv", "b", "\u0141"]), content, "text/csv")}}
        things = body.things if isinstance(body, Lines) else body
        if not as_it_is:
            things = blend(rng, things, case.body)
        if isinstance(body, Lines) and isinstance(things, list):
            headers["Content-Type"] = "application/x-ndjson"
            return {"data": b"\n".join(json.dumps(one, default=str).encode() for one in things)}
        headers["Content-Type"] = "application/json"
        return {"data": json.dumps(things, default=str).encode()}

    def _show(self, case: Case, rng: random.Random) -> None:
        """Follow a signed link, if there is one to this operation."""
        if case.method != "GET" or rng.random() < 0.5:
            return
        pattern = re.compile(re.sub("{[^}]+}", "([^/]+)", case.operation.path))
        found = [(pattern.fullmatch(urlsplit(link).path), link) for link in self.links]
        known = [(match, link) for match, link in found if match is not None]
        if known:
            match, link = rng.choice(known)
            case.path_parameters = dict(zip(case.path_parameters, match.groups(), strict=True))
            case.query = dict(parse_qsl(urlsplit(link).query))

    def check(self, case: Case, answer: Any) -> None:
        """Note what is wrong with an answer."""
        try:
            case.validate_response(answer, checks=list(self.checks))
        except (FailureGroup, Failure) as failures:
            for failure in getattr(failures, "exceptions", [failures]):
                self._note(case.operation.label, answer, failure)

    def _note(self, label: str, answer: Any, failure: Any) -> None:
        said = _text(answer)
        text = " ".join(f"{failure.title}: {failure.message}".split())
        if any(label == one and (part in text or part in said) for one, part in self.deviations):
            return
        body = repr(answer.request.body)[:600]
        where = f"{answer.request.method} {answer.request.url}"[:600]
        self.run.wrong[label].append(f"  {text[:700]}\n    {where} {body}\n    → {answer.status_code} {said[:400]}")

    def _name(self, case: Case, rng: random.Random) -> None:
        """Put names of things that are there into the path, most of the time."""
        parts = case.operation.path.split("/")
        for name in case.path_parameters or {}:
            part = parts[parts.index(f"{{{name}}}") - 1]
            known: Sequence[str] = self.names.get(name) or self.names.get(part) or ()
            if self.seen.get(part) and (not known or rng.random() < 0.4):
                known = self.seen[part]
            if known and rng.random() < (KNOWN if part != "projects" else 0.95):
                case.path_parameters[name] = rng.choice(known)
        if f"{case.method} {shape(case.operation.path)}" in MAKES and rng.random() < NEW:
            case.path_parameters[parts[-1].strip("{}")] = f"N{rng.randrange(10**9)}"

    def walk(self, document: Mapping[str, Any], walks: int, steps: int) -> None:
        """Send requests that go on with what earlier ones answered."""
        rng = random.Random(self.number)
        fuzzer, generated = self, schemathesis.openapi.from_dict(keyless(document)).as_state_machine()

        class Walk(generated):  # type: ignore[misc, valid-type]
            """One walk through the operations."""

            def get_call_kwargs(self, case: Case) -> dict[str, Any]:
                """Send with the keys."""
                headers = fuzzer.headers(case, rng)
                return {"headers": headers, "base_url": fuzzer.base_url, "timeout": 60}

            def validate_response(self, response: Any, case: Case, **_further: Any) -> None:
                """Note what is wrong, and go on."""
                fuzzer.run.note(case.operation.label, response.status_code)
                fuzzer.check(case, response)

        for number in range(walks):
            seed(self.number + number)(Walk)
            # What a server answers depends on all that it was sent before. Where Hypothesis comes the same way once
            # more and finds that, it ends the walk; each is a run of its own, of which the first example is empty.
            with contextlib.suppress(FlakyStrategyDefinition):
                Walk.run(
                    settings=settings(
                        max_examples=2,
                        stateful_step_count=steps,
                        deadline=None,
                        database=None,
                        phases=(Phase.generate,),
                        suppress_health_check=list(HealthCheck),
                    )
                )
