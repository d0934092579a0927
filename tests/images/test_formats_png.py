"""PNGs with much or broken ancillary data are shown as browsers show them."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from captioning.images.formats.png import tidied
from captioning.images.picture import check_header, inspect, thumbnail
from testing.factories.broken_pictures import chunk, deep_png, with_chunks
from testing.factories.pictures import encoded, is_upright, opened, quadrants
from testing.images import preview

NOISE = np.random.default_rng(1).bytes(1_800_000)
MUCH_OR_BROKEN = {
    "large text": [chunk(b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(b"a b c " * 300_000))],
    "many texts": [chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(900_000)))] * 90,
    "checksum of a text": [chunk(b"tEXt", b"a\0b", is_wrong=True)],
    "checksum of a private chunk": [chunk(b"prVt", b"a", is_wrong=True)],
    "method of a profile": [chunk(b"iCCP", b"a\0\1" + zlib.compress(bytes(200)))],
    "profile without a name": [chunk(b"iCCP", b"")],
    "short density": [chunk(b"pHYs", b"a")],
    "short primaries": [chunk(b"cHRM", b"abcd")],
    "short gamma": [chunk(b"gAMA", b"a")],
    "raw profile": [
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n  10\n4578xyz\n"))
    ],
    "animation without frames": [
        chunk(b"acTL", b"\0\0\0\2\0\0\0\0"),
        chunk(b"fcTL", bytes([0, 0, 0, 5]) + bytes(22)),
    ],
}


@pytest.mark.parametrize("width", [48, 400, 1200])
@pytest.mark.parametrize("name", MUCH_OR_BROKEN)
def test_ancillary_chunks_that_are_large_or_broken_are_left_out(name: str, width: int) -> None:
    data = with_chunks(quadrants(width, width * 3 // 4), *MUCH_OR_BROKEN[name])
    header, picture = check_header(data, 1), inspect(data)
    assert header.format == picture.format == "PNG"
    assert (header.width, picture.width, picture.frames) == (width, width, 1)
    assert is_upright(preview(picture.data))
    assert is_upright(opened(thumbnail(data, 40)))


def test_a_large_profile_is_kept() -> None:
    data = with_chunks(quadrants(), chunk(b"iCCP", b"printer\0\0" + zlib.compress(NOISE)))
    assert tidied(data) is data
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["icc_profile"] == NOISE
    assert is_upright(preview(data))


def test_an_ordinary_file_is_not_copied() -> None:
    data = encoded(quadrants(), "PNG", dpi=(300, 300), icc_profile=NOISE[:500])
    assert tidied(data) is data


def test_text_behind_the_pixels_may_be_cut() -> None:
    png = encoded(quadrants(), "PNG")
    assert is_upright(preview(png[:-12] + chunk(b"tEXt", b"a\0" + bytes(500))[:-50]))


def test_a_wrong_checksum_of_pixels_does_not_matter_if_they_are_right() -> None:
    """They have a checksum of their own (Adler-32), within the compressed data."""
    png = bytearray(encoded(quadrants(), "PNG"))
    at = png.index(b"IDAT")
    png[at + 4 + int.from_bytes(png[at - 4 : at], "big")] ^= 1
    assert is_upright(preview(bytes(png)))


@pytest.mark.parametrize("bands", [1, 3])
def test_a_transparent_colour_of_16_bits(bands: int) -> None:
    grey = np.arange(120 * 90, dtype=np.uint16).reshape(90, 120, 1) * 6
    samples = np.repeat(grey, bands, 2).astype(">u2")
    color = samples[5, 5].tobytes()
    data = deep_png(samples.tobytes(), (120, 90), {1: 0, 3: 2}[bands], color)
    shown = preview(data)
    assert shown.getpixel((5, 5)) == (255, 255, 255)
    assert shown.getpixel((5, 7)) == (19, 19, 19)
