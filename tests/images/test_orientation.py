"""Which way up and how large: as Chromium shows the file, in record, renditions and boxes."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from PIL import Image, ImageChops, ImageStat, TiffImagePlugin
from playwright.sync_api import Browser, Page

from captioning.images.picture import inspect, read_header, thumbnail
from captioning.images.rendition import InputLimits
from testing.factories import pictures
from testing.factories.avif_files import avif
from testing.factories.first_frames import chunk
from testing.factories.turned_pictures import LONG, all_of, exif, jpeg, png, told, xmp
from testing.harness.browser_pictures import as_shown
from testing.harness.service_readings import (
    EVERY_FORMAT,
    READINGS,
    Reading,
    box_of_lime,
    lime_in,
)
from testing.images import preview

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")
"""Pillow warns of broken EXIF."""
FILES = all_of(pictures.quadrants(64, 48))


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page()
    yield opened
    opened.close()


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures of a size, in levels of 255."""
    return max(ImageStat.Stat(ImageChops.difference(one, other)).mean)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_as_large_and_as_turned_as_a_browser_shows_it(name: str, page: Page) -> None:
    data, media_type = FILES[name]
    shown = as_shown(page, data, media_type)
    header, picture = read_header(data), inspect(data)
    assert (header.width, header.height) == (picture.width, picture.height) == shown.size
    for made in (picture.for_model().data, thumbnail(data, 320)):
        image = pictures.opened(made)
        assert image.size == shown.size
        assert difference(image, shown) < 20
    small = pictures.opened(thumbnail(data, 24))
    assert small.size == (24, round(24 * shown.height / shown.width))


@pytest.mark.parametrize("size", [(640, 480), (1200, 900), (2000, 1500), (3000, 2000)])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_unreadable_exif_refuses_no_picture_of_any_size(
    size: tuple[int, int], file_format: str
) -> None:
    said = exif(6, ">")
    data = pictures.encoded(Image.new("RGB", size, "red"), file_format, exif=said)
    if file_format == "AVIF":
        data = avif(Image.new("RGB", size, "red"), exif=said)
    broken = data.replace(said, b"MM\0\xd2" + said[4:])
    if file_format == "PNG":
        broken = png(pictures.opened(data), chunk(b"eXIf", b"MM\0\xd2" + said[4:]))
    assert broken != data
    picture = inspect(broken)
    assert (picture.width, picture.height) == size
    assert picture.for_service(InputLimits(frozenset(), 4_000_000, max_side=1024)).width == min(
        size[0], 1024
    )
    assert pictures.opened(thumbnail(broken, 320)).width == 320


@pytest.mark.parametrize("read", READINGS)
@pytest.mark.parametrize("name", [name for name in FILES if "crop" not in name])
def test_boxes_lie_where_a_browser_shows_the_thing_however_a_service_reads_the_file(
    name: str, read: Reading, page: Page
) -> None:
    data, media_type = FILES[name]
    x, y, width, height = box_of_lime(data, read)
    expected = lime_in(as_shown(page, data, media_type))
    for value, true in zip((x, y, x + width, y + height), expected, strict=True):
        assert abs(value - true) <= 2


@pytest.mark.parametrize(
    ("data", "size", "is_sent"),
    [
        (pictures.oriented(1), (400, 300), True),
        (pictures.oriented(6), (400, 300), True),
        (pictures.oriented(3), (400, 300), False),
        (jpeg(pictures.quadrants(300, 300), told(exif(6))), (300, 300), False),
        (jpeg(pictures.quadrants(), told(exif(6, kind=LONG))), (400, 300), False),
        (jpeg(pictures.quadrants(), told(b"garbage bytes here")), (400, 300), True),
    ],
)
def test_an_original_is_sent_where_its_size_shows_how_a_service_turned_it(
    data: bytes, size: tuple[int, int], *, is_sent: bool
) -> None:
    rendition = inspect(data).for_service(EVERY_FORMAT)
    assert (rendition.data == data) == is_sent
    assert rendition.upright == size


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize(("orientation", "in_xmp"), [(6, 1), (1, 6), (None, 6), (0, 6), (9, 8)])
def test_a_tiff_is_turned_by_its_tag_and_not_by_xmp(
    orientation: int | None, in_xmp: int, compression: str | None
) -> None:
    """Browsers do not show it. Pillow takes its size by the tag, and its turn by XMP too."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[700], tags.tagtype[700] = xmp(in_xmp), 7
    if orientation is not None:
        tags[274] = 1
    data = pictures.encoded(pictures.quadrants(), "TIFF", tiffinfo=tags, compression=compression)
    if orientation is not None:
        data = data.replace(
            struct.pack("<HHIH", 274, 3, 1, 1), struct.pack("<HHIH", 274, 3, 1, orientation)
        )
    header, picture = read_header(data), inspect(data)
    expected = (300, 400) if orientation == 6 else (400, 300)
    assert (header.width, header.height) == (picture.width, picture.height) == expected
    assert preview(picture.data).size == expected
    assert pictures.is_upright(preview(picture.data)) == (orientation != 6)
