"""QR codes and barcodes (Code 128) of a text, as PNG or SVG. Pure."""

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Final, Literal

import segno
from barcode.codex import Code128
from barcode.errors import BarcodeError

Format = Literal["png", "svg"]
MEDIA_TYPES: Final = {"png": "image/png", "svg": "image/svg+xml"}
# In pixels, or units of an SVG: a module of a QR code, a bar at its narrowest, and how high the bars are.
_MODULE: Final = 8
_BAR: Final = 2
_HEIGHT: Final = 100
# Code 128 wants ten bars of nothing on both sides.
_QUIET: Final = 10


class NotDrawable(Exception):
    """A barcode has no signs for some character of the text."""


def qr(text: str, wanted: Format) -> bytes:
    """Return the QR code of a text, any that a code may be; a quarter of it may be dirty and it can still be read."""
    drawn, out = segno.make_qr(text, error="q"), io.BytesIO()
    drawn.save(out, kind=wanted, scale=_MODULE)
    return out.getvalue()


def barcode(text: str, wanted: Format) -> bytes:
    """Return the barcode of a text. Raises NotDrawable for what is not ASCII."""
    if not text.isascii():
        raise NotDrawable
    try:
        modules = Code128(text).build()[0]
    except BarcodeError as error:
        raise NotDrawable from error
    bars = [False] * _QUIET + [module == "1" for module in modules] + [False] * _QUIET
    return _png(bars) if wanted == "png" else _svg(bars)


def _png(bars: Sequence[bool]) -> bytes:
    """Draw bars in two colours, one bit a pixel: every line is the same."""
    width = len(bars) * _BAR
    bits = "".join(("0" if bar else "1") * _BAR for bar in bars)
    line = b"\x00" + int(bits.ljust(-(-width // 8) * 8, "1"), 2).to_bytes(-(-width // 8), "big")
    header = struct.pack(">IIBBBBB", width, _HEIGHT, 1, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(line * _HEIGHT, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _svg(bars: Sequence[bool]) -> bytes:
    width = len(bars) * _BAR
    path = "".join(f"M{place * _BAR} 0h{_BAR}v{_HEIGHT}h-{_BAR}z" for place, bar in enumerate(bars) if bar)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT}" viewBox="0 0 {width} {_HEIGHT}">'
        f'<rect width="{width}" height="{_HEIGHT}" fill="#fff"/><path d="{path}"/></svg>'
    ).encode()
