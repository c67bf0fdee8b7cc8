"""Sending an API what its own document says it takes, and what it does not, and holding each answer against it."""

import collections
import contextlib
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

# How often a parameter of a path is the name of something that is there.
KNOWN = 0.75


@dataclass
class Run:
    """What was sent, and what was wrong with the answers: by operation, with how to do it again."""

    sent: collections.Counter[str] = field(default_factory=collections.Counter)
    statuses: collections.Counter[int] = field(default_factory=collections.Counter)
    wrong: dict[str, list[str]] = field(default_factory=lambda: collections.defaultdict(list))

    def report(self) -> str:
        """Return what was wrong, three examples an operation."""
        return "\n\n".join(f"{label}\n" + "\n".join(found[:3]) for label, found in sorted(self.wrong.items()))

    @property
    def count(self) -> int:
        """How many requests were sent."""
        return sum(self.sent.values())


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


def readable(node: Any) -> Any:
    """Return a document of the reference as its SDK reads and writes it.

    Alternatives of `oneOf` overlap, so that none would fit: they are `anyOf`. Whatever is not required may be null.
    """
    if isinstance(node, list):
        return [readable(item) for item in node]
    if not isinstance(node, dict):
        return node
    turned = {"anyOf" if name == "oneOf" else name: readable(value) for name, value in node.items()}
    if isinstance(node.get("properties"), dict) and node.get("type", "object") == "object":
        needed = node.get("required", ())
        turned["properties"] = {
            name: one if name in needed else {"anyOf": [one, _NULL]} for name, one in turned["properties"].items()
        }
    return turned


def shape(path: str) -> str:
    """Return a path template without the names of its parameters."""
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


@dataclass
class Fuzzer:
    """Sends requests with the keys of one project; `names` are of things that are there, by part of the path."""

    base_url: str
    headers: Mapping[str, str]
    names: Mapping[str, Sequence[str]]
    number: int
    checks: Sequence[Any] = (
        not_a_server_error,
        response_schema_conformance,
        content_type_conformance,
        status_code_conformance,
    )
    # Operation and a part of what is wrong with its answer, and why it stays.
    deviations: Mapping[tuple[str, str], str] = field(default_factory=dict)
    run: Run = field(default_factory=Run)

    def fuzz(self, operation: Any, examples: int) -> None:
        """Send about so many requests of one operation, half of them such as its document forbids."""
        with requests.Session() as session:
            for mode in GenerationMode:
                strategy = st.tuples(operation.as_strategy(generation_mode=mode), st.randoms(use_true_random=False))
                # Nothing can be wrong about some operations, and a few schemas of the reference exclude everything.
                with contextlib.suppress(Unsatisfiable):
                    self._send_all(session, strategy, max(1, examples // 2))

    def _send_all(self, session: requests.Session, strategy: Any, examples: int) -> None:
        @seed(self.number)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def send(drawn: tuple[Case, random.Random]) -> None:
            self.send(session, *drawn)

        send()

    def send(self, session: requests.Session, case: Case, rng: random.Random) -> None:
        """Send one request and note what is wrong with its answer."""
        self._name(case, rng)
        label = case.operation.label
        answer = case.call(base_url=self.base_url, session=session, headers=dict(self.headers), timeout=60)
        self.run.sent[label] += 1
        self.run.statuses[answer.status_code] += 1
        self.check(case, answer)

    def check(self, case: Case, answer: Any) -> None:
        """Note what is wrong with an answer."""
        try:
            case.validate_response(answer, checks=list(self.checks))
        except (FailureGroup, Failure) as failures:
            for failure in getattr(failures, "exceptions", [failures]):
                self._note(case.operation.label, case, answer, failure)

    def _note(self, label: str, case: Case, answer: Any, failure: Any) -> None:
        text = " ".join(f"{failure.title}: {failure.message}".split())
        if any(label == one and part in text for one, part in self.deviations):
            return
        body = json.dumps(case.body, default=str)[:600] if case.body is not None else ""
        where = f"{case.method} {case.formatted_path} {dict(case.query or {})}"[:600]
        self.run.wrong[label].append(
            f"  {text[:700]}\n    {where} {body}\n    → {answer.status_code} {answer.text[:400]}"
        )

    def _name(self, case: Case, rng: random.Random) -> None:
        """Put names of things that are there into the path, most of the time."""
        kind = case.operation.path.split("/")[2] if case.operation.path.count("/") > 1 else ""
        for name in case.path_parameters or {}:
            known = self.names.get(name) or self.names.get(kind)
            if known and rng.random() < KNOWN:
                case.path_parameters[name] = rng.choice(known)

    def walk(self, document: Mapping[str, Any], walks: int, steps: int) -> None:
        """Send requests that go on with what earlier ones answered."""
        fuzzer, generated = self, schemathesis.openapi.from_dict(keyless(document)).as_state_machine()

        class Walk(generated):  # type: ignore[misc, valid-type]
            """One walk through the operations."""

            def get_call_kwargs(self, case: Case) -> dict[str, Any]:  # noqa: ARG002 (as it is called)
                """Send with the keys."""
                return {"headers": dict(fuzzer.headers), "base_url": fuzzer.base_url, "timeout": 60}

            def validate_response(self, response: Any, case: Case, **_further: Any) -> None:
                """Note what is wrong, and go on."""
                fuzzer.run.sent[case.operation.label] += 1
                fuzzer.run.statuses[response.status_code] += 1
                fuzzer.check(case, response)

        seed(self.number)(Walk)
        Walk.run(
            settings=settings(
                max_examples=walks,
                stateful_step_count=steps,
                deadline=None,
                database=None,
                phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck),
            )
        )
