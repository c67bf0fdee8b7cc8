import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.vouchers.assets import images

# As the standard has it.
_STOP = "11000111010"


def bars_of(svg: bytes) -> str:
    """Return the modules of a barcode as text, without the quiet zones."""
    text = svg.decode()
    width = int(text.partition('width="')[2].partition('"')[0]) // 2
    dark = {int(part.partition(" ")[0]) // 2 for part in text.partition('d="')[2].split("M")[1:]}
    return "".join("1" if place in dark else "0" for place in range(width))[10:-10]


def test_a_barcode_has_its_start_its_sign_and_its_end() -> None:
    modules = bars_of(images.barcode("A", "svg"))
    start_b, sign_a, check_sum = "11010010000", "10100011000", "10001011000"
    assert modules == f"{start_b}{sign_a}{check_sum}{_STOP}11"


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60))
def test_every_printable_code_has_a_barcode_of_whole_signs(code: str) -> None:
    modules = bars_of(images.barcode(code, "svg"))
    assert (len(modules) - 13) % 11 == 0
    assert modules.endswith(_STOP + "11")


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30))
def test_a_png_has_the_same_bars(code: str) -> None:
    data = images.barcode(code, "png")
    width, height = struct.unpack(">II", data[16:24])
    line = (width + 7) // 8 + 1
    raw = zlib.decompress(data[data.index(b"IDAT") + 4 :])
    assert len(raw) == line * height
    bits = f"{int.from_bytes(raw[1:line], 'big'):0{(line - 1) * 8}b}"[:width:2]
    assert bits.translate({48: "1", 49: "0"})[10:-10] == bars_of(images.barcode(code, "svg"))


def test_a_code_that_is_not_ascii_has_a_qr_code_only() -> None:
    assert images.qr("é🎉", "png").startswith(b"\x89PNG")
    assert b"<svg" in images.qr("é🎉", "svg")
    with pytest.raises(images.NotDrawable):
        images.barcode("é🎉", "svg")


def test_the_longest_code_can_be_drawn() -> None:
    for draw in (images.qr, images.barcode):
        assert draw("X" * 255, "png").startswith(b"\x89PNG")
