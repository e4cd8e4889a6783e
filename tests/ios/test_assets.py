"""The pictures that `flet build` makes icons and start screens of: there, and as Apple takes them."""

from __future__ import annotations

import struct
import zlib

import pytest
from tests.ios import bundle

ASSETS = bundle.ROOT / "ios" / "src" / "assets"
RGB, RGBA = 2, 6
"""Kinds of colour of a PNG (RFC 2083, 4.1.1)."""


def png(name: str) -> tuple[int, int, int, bytes]:
    """Width, height, kind of colour and decompressed content of a picture of ours."""
    content = (ASSETS / name).read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, kind = struct.unpack(">IIBB", content[16:26])
    assert depth == 8
    pixels, at = b"", 8
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        if content[at + 4 : at + 8] == b"IDAT":
            pixels += content[at + 8 : at + 8 + length]
        at += 12 + length
    return width, height, kind, zlib.decompress(pixels)


def test_the_icon_is_as_large_as_apple_wants_it_and_has_no_transparency():
    width, height, kind, pixels = png("icon.png")

    assert (width, height, kind) == (1024, 1024, RGB)
    assert len(set(pixels)) > 100  # a drawing, not one colour


def test_the_start_image_stands_on_either_ground():
    width, height, kind, pixels = png("splash.png")

    assert (width, height, kind) == (768, 768, RGBA)
    assert len(set(pixels)) > 100


@pytest.mark.parametrize("key", ["color", "dark_color"])
def test_the_grounds_of_the_start_image_are_those_of_the_app(key):
    ground = {"color": "#f2f2f7", "dark_color": "#000000"}[key]

    assert bundle.project()["tool"]["flet"]["splash"][key] == ground
    assert ground.lstrip("#").upper() in (bundle.ROOT / "ios/src/autopilot_ios/look/palette.py").read_text().upper()
