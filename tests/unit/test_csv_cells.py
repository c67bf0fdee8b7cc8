"""Cells that a spreadsheet would run are marked, and only these; taking the mark off gives every text back."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rapport.core.csv_cells import LOOK_AT, SIGNS, neutralise, restore

TEXTS = st.text() | st.text(alphabet=[*LOOK_AT, *"0 9.(a"])


@pytest.mark.parametrize(
    "formula",
    [
        "=1+1",
        "=cmd|' /C calc'!A0",
        "+SUM(A1)",
        "-A1",
        "@SUM(1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "=",
        "@",
        "\uff1d1+1",
        "+48 6o0",
        "--x",
    ],
)
def test_a_formula_is_marked(formula: str) -> None:
    assert neutralise(formula) == "'" + formula


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Ann",
        "-5",
        "-12.50",
        "+48600000000",
        "+1 (294) 752-1846",
        "+44 20/7946-0000",
        "'tis",
        "'",
        "a=1",
        " =1",
        "-",
    ],
)
def test_numbers_phone_numbers_and_plain_texts_stay_as_they_are(text: str) -> None:
    assert neutralise(text) == text
    assert restore(text) == text


def test_a_text_that_looks_marked_is_marked_once_more() -> None:
    assert neutralise("'=1") == "''=1"
    assert restore("''=1") == "'=1"
    assert restore("'=1") == "=1"


@given(TEXTS)
@example("''=x")
@example("'-5")
def test_every_text_comes_back(text: str) -> None:
    assert restore(neutralise(text)) == text


@given(TEXTS)
def test_what_is_written_is_no_formula(text: str) -> None:
    written = neutralise(text)
    assert written[:1] not in SIGNS or not any(letter.isalpha() for letter in written)


@given(TEXTS)
def test_a_cell_that_begins_with_nothing_suspicious_is_left_alone(text: str) -> None:
    if text[:1] not in LOOK_AT:
        assert neutralise(text) == text == restore(text)
