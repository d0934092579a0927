"""The table of formats in the documentation is what happens to files of these formats."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import ExifTags, Image

from captioning.images.picture import check_header, inspect
from testing.factories.broken_pictures import chunk
from testing.factories.pictures import UNDO, encoded, is_close, quadrants
from testing.factories.raw_files import raw_file
from testing.factories.tiffs import file, page, tiff
from testing.images import preview
from testing.markdown import PAGES, rows

ROWS = {row[0]: row for row in rows(PAGES["formats.md"], "file | image.format")}
RED_OR_LIME = {(255, 0, 0), (0, 255, 0)}


def exif(orientation: int) -> bytes:
    """EXIF that holds nothing but this orientation."""
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    return tags.tobytes()


def stored(orientation: int) -> Image.Image:
    """The quadrants, 240 x 180 upright, as they are stored."""
    upright = quadrants(240, 180)
    return upright.transpose(UNDO[orientation]) if orientation in UNDO else upright


def saved(file_format: str) -> Callable[[int], bytes]:
    """Makes a file of this format with this orientation in EXIF."""
    return lambda turn: encoded(stored(turn), file_format, exif=exif(turn))


def deep(turn: int) -> bytes:
    samples = np.asarray(stored(turn)).astype(np.uint16) * 257
    return tiff(samples, 16, 2, order=">", planar=True, tags={274: (3, [turn])})


def reduced_first(turn: int) -> bytes:
    full = page(np.asarray(stored(turn)), 8, 2, tags={274: (3, [turn])})
    return file([page(np.zeros((12, 16, 3), np.uint8), 8, 2, tags={254: (4, [1])}), full])


def several(turn: int) -> bytes:
    further = [quadrants(40, 30)]
    return encoded(stored(turn), "MPO", save_all=True, append_images=further, exif=exif(turn))


def with_broken_chunk(turn: int) -> bytes:
    png = saved("PNG")(turn)
    return png[:33] + chunk(b"tEXt", b"a\0b", is_wrong=True) + png[33:]


def raw(name: str) -> Callable[[int], bytes]:
    return lambda turn: raw_file(name, 240, turn)


MAKERS: dict[str, Callable[[int], bytes]] = {
    "JPEG": saved("JPEG"),
    "JPEG without its end marker": lambda turn: saved("JPEG")(turn)[:-2],
    "JPEG with further pictures (MPO, Ultra HDR)": several,
    "PNG": saved("PNG"),
    "PNG with broken ancillary chunks": with_broken_chunk,
    "GIF": saved("GIF"),
    "BMP": saved("BMP"),
    "WebP": saved("WEBP"),
    "ICO": lambda turn: encoded(stored(turn), "ICO", sizes=[stored(turn).size]),
    "HEIC": saved("HEIF"),
    "AVIF": saved("AVIF"),
    "JPEG 2000": saved("JPEG2000"),
    "TIFF": saved("TIFF"),
    "TIFF of 9 to 64 bits": deep,
    "TIFF whose first page is a reduced one": reduced_first,
    "DNG": raw("DNG"),
    "NEF, CR2, ARW, PEF, SRW and the like": raw("NEF"),
    "ORF": raw("ORF"),
    "RW2": raw("RW2"),
    "CR3": raw("CR3"),
    "RAF": lambda _turn: raw_file("RAF", 240),
}


def test_every_row_is_tried() -> None:
    assert list(ROWS) == list(MAKERS)


@pytest.mark.parametrize("name", MAKERS)
def test_a_file_of_the_row_is_captioned_as_it_says(name: str) -> None:
    _, file_format, _, color, turned, *_ = ROWS[name]
    for turn in (1, 6):
        data = MAKERS[name](turn)
        header, picture = check_header(data, 1), inspect(data)
        assert (header.format, picture.format) == (file_format.strip("`"),) * 2
        assert picture.color == color
        assert picture.frames == 1
        is_turned = turn == 1 or turned != "no"
        size = (picture.width, picture.height)
        assert size == ((240, 180) if is_turned else (180, 240))
        assert (header.width, header.height) == size
        corner = preview(picture.data).getpixel((8, 8))
        assert any(is_close(corner, known) for known in RED_OR_LIME | {(0, 0, 255)})
        assert is_close(corner, (255, 0, 0)) == is_turned
