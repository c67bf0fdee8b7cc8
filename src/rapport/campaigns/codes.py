"""Voucher codes: how they look, how many there can be, and drawing them at random."""

import itertools
import math
import secrets

import msgspec

from rapport.core.errors import InvalidPayload
from rapport.core.ids import BASE62, random_text

DEFAULT_LENGTH = 8
MAX_LENGTH = 200
MAX_CODE_LENGTH = 255
PLACE = "#"
# Up to here every possible code is written down and shuffled, so that even the last free one is found.
ENUMERATED = 20_000
# Beyond, a campaign may use up so many percent of the possible codes; free ones are then found quickly by drawing.
FULLEST_PERCENT = 80


class CodeConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """How codes look: `prefix`, then `pattern` with each `#` drawn from `charset`, then `postfix`."""

    length: int
    charset: str
    pattern: str
    prefix: str = ""
    postfix: str = ""

    @property
    def letters(self) -> str:
        """The different characters of the charset."""
        return "".join(dict.fromkeys(self.charset))

    @property
    def space(self) -> int:
        """How many different codes there can be."""
        return math.prod([len(self.letters)] * self.pattern.count(PLACE))


def check_text(text: str, path: str) -> None:
    """Refuse what cannot be typed or put into a URL. Raises InvalidPayload."""
    if any(not letter.isprintable() or letter.isspace() or letter == "/" for letter in text):
        raise InvalidPayload(f"Property {path} should hold printable characters only, without spaces and slashes")


def configure(
    length: int | None, charset: str | None, prefix: str | None, postfix: str | None, pattern: str | None, path: str
) -> CodeConfig:
    """Return the code configuration that a request asks for. Raises InvalidPayload naming the property under `path`."""
    for name, text in (("charset", charset), ("prefix", prefix), ("postfix", postfix), ("pattern", pattern)):
        check_text(text or "", f"{path}.{name}")
    if charset == "":
        raise InvalidPayload(f"Property {path}.charset should not be empty")
    if pattern is not None and PLACE not in pattern:
        raise InvalidPayload(f"Property {path}.pattern should have at least one #")
    places = pattern or PLACE * (length or DEFAULT_LENGTH)
    if len(places) + len(prefix or "") + len(postfix or "") > MAX_LENGTH:
        raise InvalidPayload(f"Property {path} makes codes longer than {MAX_LENGTH} characters")
    return CodeConfig(places.count(PLACE), charset or BASE62, places, prefix or "", postfix or "")


def check_space(config: CodeConfig, count: int, path: str) -> None:
    """See that `count` different codes can be made. Raises InvalidPayload."""
    most = config.space if config.space <= ENUMERATED else config.space * FULLEST_PERCENT // 100
    if count > most:
        raise InvalidPayload(f"Property {path} allows {config.space} different codes, too few for {count} vouchers")


def draw(config: CodeConfig, count: int) -> list[str]:
    """Return different codes to try: at least `count` where the space is large, all there can be where it is small."""
    letters, places = config.letters, config.pattern.count(PLACE)
    if config.space <= ENUMERATED:
        texts = ["".join(one) for one in itertools.product(letters, repeat=places)]
        secrets.SystemRandom().shuffle(texts)
    else:
        texts = list({random_text(places, letters) for _ in range(count)})
    return [_fill(config, text) for text in texts]


def _fill(config: CodeConfig, text: str) -> str:
    drawn = iter(text)
    middle = "".join(next(drawn) if letter == PLACE else letter for letter in config.pattern)
    return f"{config.prefix}{middle}{config.postfix}"
