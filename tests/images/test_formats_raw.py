"""Cameras' raw files: the preview is captioned, under the name and with the size of the raw."""

from __future__ import annotations

import pytest

from captioning.errors import ImageTooLarge, UnsupportedFormat
from captioning.images import picture as pictures
from captioning.images.decoding import file_extensions
from captioning.images.picture import check_header, inspect, thumbnail
from captioning.images.rendition import InputLimits
from testing.factories.pictures import is_upright, opened
from testing.factories.raw_files import dng_with_full_page, raw_file
from testing.images import preview

TURNABLE = ["DNG", "NEF", "ARW", "ORF", "RW2", "CR3"]
LIMITS = InputLimits(frozenset({"JPEG", "TIFF", "DNG"}), 4_000_000)


@pytest.mark.parametrize("width", [200, 800, 4000])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("name", TURNABLE)
def test_the_preview_is_seen_under_the_name_and_size_of_the_raw_file(
    name: str, orientation: int, width: int
) -> None:
    data = raw_file(name, width, orientation)
    header, picture = check_header(data, 1), inspect(data)
    assert picture.format == header.format == name
    assert header.media_type.startswith("image/x-")
    size = (picture.width, picture.height)
    assert {size, (header.width, header.height)} <= {
        (width, width * 3 // 4),
        (width, width // 4 * 3),
    }
    assert is_upright(preview(picture.data))
    assert is_upright(opened(thumbnail(data, 64)))
    assert f".{name.lower()}" in file_extensions()


@pytest.mark.parametrize("width", [200, 4000])
def test_a_raf_is_as_its_preview_says(width: int) -> None:
    picture = inspect(raw_file("RAF", width))
    assert (picture.format, picture.width, picture.orientation) == ("RAF", width, 1)
    assert is_upright(preview(picture.data))


def test_no_service_gets_the_raw_file_itself() -> None:
    rendition = inspect(raw_file("NEF", 800, 6)).for_service(LIMITS)
    assert rendition.media_type == "image/jpeg"
    assert (rendition.upright, rendition.stored) == ((400, 300), (800, 600))


@pytest.mark.parametrize("order", "<>")
def test_either_byte_order(order: str) -> None:
    picture = inspect(raw_file("NEF", 800, 6, order=order))
    assert (picture.width, picture.height, picture.orientation) == (800, 600, 6)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("width", [200, 1600])
def test_a_full_page_of_colours_is_the_best_preview(width: int, orientation: int) -> None:
    picture = inspect(dng_with_full_page(width, orientation))
    assert (picture.format, picture.width) == ("DNG", width)
    assert is_upright(preview(picture.data))
    assert preview(picture.data).width > min(width, 1000) - 1


@pytest.mark.parametrize("name", [*TURNABLE, "RAF"])
def test_a_raw_file_without_a_preview_is_named(name: str) -> None:
    data = raw_file(name, 800, preview=False)
    for read in (inspect, lambda data: check_header(data, 1)):
        with pytest.raises(UnsupportedFormat, match=rf"raw file \({name}\) without a preview"):
            read(data)


def test_the_limit_of_pixels_is_for_the_preview(monkeypatch: pytest.MonkeyPatch) -> None:
    data = raw_file("NEF", 800)
    monkeypatch.setattr(pictures, "MAX_PIXELS", 200_000)
    assert inspect(data).width == 800
    monkeypatch.setattr(pictures, "MAX_PIXELS", 100_000)
    with pytest.raises(ImageTooLarge):
        inspect(data)
