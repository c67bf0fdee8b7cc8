"""Words by which people say stop."""

import pytest

from rapport.consents.words import START, STOP, meaning_of


@pytest.mark.parametrize(
    "text",
    ["STOP", " stop. ", "Stop!!", "\n\nUnsubscribe\n> On Monday you wrote:\n> start", "Arrêt", "revoke",
     "opt-out", "Désabonner", "\uff33\uff34\uff2f\uff30", "wypisz mnie"],
)  # fmt: skip
def test_a_stop_word_is_known_in_any_dress(text: str) -> None:
    assert meaning_of(text)[0] == "stop"


@pytest.mark.parametrize("text", ["", "\n", "stop by tomorrow", "don't stop", "the end", "nonstop", "🎁", "x" * 10_000])
def test_what_only_holds_such_a_word_means_nothing(text: str) -> None:
    assert meaning_of(text) == (None, None)


def test_a_start_word_undoes_it() -> None:
    assert meaning_of("Start") == ("start", "start")


def test_every_word_is_written_as_it_is_compared() -> None:
    assert not STOP & START
    for word in STOP | START:
        assert meaning_of(word)[1] == word
