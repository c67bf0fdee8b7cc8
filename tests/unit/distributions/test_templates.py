import time
from decimal import Decimal
from typing import Any

import pytest

from rapport.core.errors import InvalidPayload
from rapport.distributions.messages import templates
from rapport.distributions.messages.templates import Kind, TemplateFailed

ANN: dict[str, Any] = {
    "name": "Ann <b>",
    "address": None,
    "birthdate": "1990-01-02",
    "created_at": "2026-01-31T23:30:00.000Z",
    "metadata": {"shoe": Decimal("38.5"), "points": Decimal(12), "tags": ["a", "<b>"]},
}


def rendered(source: str, kind: Kind = "plain", **variables: Any) -> str:
    templates.check(source, kind, ".message.text")
    known = {"customer": ANN, "now": "2026-02-01T10:00:00.000Z", "time_zone": "Europe/Warsaw"}
    return templates.render(source, kind, templates.values(known | variables))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ customer.name }}", "Ann <b>"),
        ("[{{ customer.nope }}{{ nope.at.all }}{{ customer.address.city }}]", "[]"),
        ("{{ customer.nope | default: 'there' }}", "there"),
        ("{{ customer.metadata.shoe }} {{ customer.metadata.points }}", "38.5 12"),
        ("{{ 1999 | money }} {{ 5 | money }} {{ -1999 | money }} {{ '250' | money }}", "19.99 0.05 -19.99 2.50"),
        ("[{{ nope | money }}] {{ 'free' | money }}", "[] free"),
        ("{{ customer.created_at | date: '%d.%m.%Y %H:%M' }}", "01.02.2026 00:30"),
        ("{{ customer.birthdate | date: '%d.%m.%Y' }}", "02.01.1990"),
        ("{{ 'now' | date: '%Y-%m-%d %H:%M' }} {{ now | date: '%H' }}", "2026-02-01 11:00 11"),
        ("[{{ nope | date: '%Y' }}] {{ 'soon' | date: '%Y' }}", "[] soon"),
        ("{{ customer.metadata.tags | join: '+' }}", "a+<b>"),
        ("{% for i in (1..3) %}{{ i }}{% endfor %}", "123"),
        ("{% for tag in customer.metadata.tags %}{{ forloop.index }}{{ tag }}{% endfor %}", "1a2<b>"),
        ("{% if customer.metadata.points > 10 %}yes{% else %}no{% endif %}", "yes"),
    ],
)
def test_a_template_is_filled_with_values(source: str, expected: str) -> None:
    assert rendered(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        "{{ customer.name }}",
        "{{ customer.name | append: '' }}",
        "{{ customer.metadata.tags | join: '' }}",
        "{% assign x = customer.name %}{{ x }}",
        "{% capture x %}{{ customer.name }}{% endcapture %}{{ x }}",
        "{{ customer.name | url_encode | url_decode }}",
        "{{ customer.name | base64_encode | base64_decode }}",
        "{{ customer.name | newline_to_br }}",
        "{{ customer.name | escape_once }}",
        "{{ customer.name | split: ' ' }}",
        "{{ customer.name | replace: 'Ann', '' }}",
        "{{ customer.name | truncate: 7, '' }}",
        "{{ customer.name | escape }}",
    ],
)
def test_values_are_escaped_in_html_whatever_is_done_with_them(source: str) -> None:
    assert "<b>" not in rendered(f"<i>{source}</i>", "html")
    assert "&lt;b&gt;" in rendered(f"<i>{source}</i>", "html")


def test_data_is_never_template_source() -> None:
    assert rendered("{{ name }}", name="{{ customer.name }}{% for %}") == "{{ customer.name }}{% for %}"


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("one\n{{ customer.name ", "line 2"),
        ("one\ntwo\n{% if %}", "line 3"),
        ("{% for %}", "line 1"),
        ("{% if customer %}", "line 1"),
        ("\n{{ customer.name | shout }}", "line 2: unknown filter 'shout'"),
        ("{{ customer.name | safe }}", "line 1: unknown filter 'safe'"),
        ("{% include 'x' %}", "line 1: unexpected tag 'include'"),
        ("{% render 'x' %}", "line 1: unexpected tag 'render'"),
        ("\n{% for i in (1..1000000000) reversed %}{% endfor %}", "line 2: a range"),
        ("{% if (1..customer.n) contains 'x' %}{% endif %}", "line 1: a range"),
        ("{% if 1 %}" * 40 + "{% endif %}" * 40, "line 1: block nesting"),
        ("{{" + "a[" * 5000 + "1" + "]" * 5000 + "}}", ""),
    ],
)
def test_a_template_that_does_not_parse_is_refused_by_field_and_line(source: str, place: str) -> None:
    with pytest.raises(InvalidPayload, match=r"Property \.message\.html is not a valid template") as refused:
        templates.check(source, "html", ".message.html")
    assert place in refused.value.details


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in (1..999) %}{% for b in (1..999) %}{% endfor %}{% endfor %}",
        "{% for a in (1..999) %}x{% endfor %}" * 11,
        "{% assign a = 'x' %}" + "{% assign a = a | append: a %}" * 60,
        "{% assign a = 'x' %}" + "{% assign a = a | append: a %}" * 17 + "{{ a | replace: 'x', a | size }}",
        "{% assign a = 'x' %}" + "{% assign a = a | append: a %}" * 17 + "{{ a | split: '' | join: a | size }}",
        "{% assign a = 'x,x' | split: ',' %}" + "{% assign a = a | concat: a %}" * 40,
        "{% assign a = 9 %}" + "{% assign a = a | times: a %}" * 40 + "{{ a }}",
        "{% assign a = 'x' %}"
        + "{% assign a = a | append: a %}" * 17
        + "{% for i in (1..999) %}{{ a | upcase | downcase | size }}{% endfor %}" * 9,
        "{% for a in (1..999) %}{% for b in (1..10) %}"
        + "{% if 1 == 1 %}{% endif %}" * 3000
        + "{% endfor %}{% endfor %}",
        "{% for a in (1..999) %}{% for b in (1..10) %}" + "x" * 500 + "{% endfor %}{% endfor %}",
        "{{ customer.birthdate | date: '%0999999999d' }}",
        "{{ 1 | divided_by: 0 }}",
        "{{ 'x' | base64_decode }}",
        "{{ 'x' | slice: 'y' }}",
    ],
)
def test_a_template_that_goes_too_far_is_cut_off_in_little_time(source: str) -> None:
    templates.check(source, "plain", ".message.text")
    began = time.thread_time()
    with pytest.raises(TemplateFailed):
        rendered(source)
    assert time.thread_time() - began < 2.0
