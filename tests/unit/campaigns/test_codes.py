import pytest

from rapport.campaigns import codes
from rapport.core.errors import InvalidPayload
from rapport.core.ids import BASE62


def configured(**more: object) -> codes.CodeConfig:
    values = {"length": None, "charset": None, "prefix": None, "postfix": None, "pattern": None, **more}
    return codes.configure(**values, path=".code_config")  # type: ignore[arg-type]


def test_a_pattern_is_filled_between_prefix_and_postfix() -> None:
    config = configured(prefix="A-", pattern="X-##-##", postfix="-Z", charset="01")
    drawn = codes.draw(config, 5)
    assert len(set(drawn)) == len(drawn) == config.space == 16
    for code in drawn:
        assert code.startswith("A-X-")
        assert code.endswith("-Z")
        assert set(code[4:6] + code[7:9]) <= {"0", "1"}


def test_without_a_pattern_the_length_says_how_many_characters_are_drawn() -> None:
    config = configured(length=12)
    assert (config.pattern, config.length, config.space) == ("#" * 12, 12, 62**12)
    assert configured().length == codes.DEFAULT_LENGTH


def test_codes_of_a_large_space_are_drawn_at_random() -> None:
    drawn = codes.draw(configured(), 1000)
    assert len(set(drawn)) == 1000
    assert {len(code) for code in drawn} == {8}


def test_a_letter_given_twice_counts_once() -> None:
    assert configured(pattern="##", charset="aab").space == 4


@pytest.mark.parametrize(
    "more",
    [
        {"pattern": "NOPLACE"}, {"pattern": ""}, {"charset": ""}, {"charset": "a b"}, {"prefix": "a/b"},
        {"pattern": "#" * 201}, {"prefix": "x" * 150, "postfix": "y" * 50}, {"postfix": "\n"}, {"prefix": "\x00"},
    ],
)  # fmt: skip
def test_codes_that_cannot_be_typed_are_refused(more: dict[str, str]) -> None:
    with pytest.raises(InvalidPayload) as error:
        configured(**more)
    assert error.value.details.startswith("Property .code_config")


@pytest.mark.parametrize(
    ("pattern", "charset", "count", "fits"),
    [("##", "0123456789", 100, True), ("##", "0123456789", 101, False), ("#######", "0123456789", 8_000_000, True),
     ("#######", "0123456789", 8_000_001, False), ("#" * 200, "ab\u00e9" * 20 + BASE62, 5_000_000, True)],
)  # fmt: skip
def test_a_space_too_small_for_the_count_is_refused(pattern: str, charset: str, count: int, fits: bool) -> None:
    config = configured(pattern=pattern, charset=charset)
    if fits:
        codes.check_space(config, count, ".code_config")
    else:
        with pytest.raises(InvalidPayload):
            codes.check_space(config, count, ".code_config")
