"""Inspection by content, and the rendition each service gets."""

from __future__ import annotations

import pytest

from captioning.errors import ImageRejected, ImageTooSmall
from captioning.images.picture import inspect
from captioning.images.rendition import InputLimits
from testing.factories import pictures
from testing.factories.pictures import is_close, is_upright, opened

ANY = InputLimits(frozenset({"JPEG", "PNG", "GIF", "TIFF"}), max_bytes=4_000_000, min_side=50)


@pytest.mark.parametrize("name", [n for n, (_, code) in pictures.STRANGE.items() if code])
def test_a_bad_image_is_rejected_with_its_code_and_advice(name: str) -> None:
    data, code = pictures.STRANGE[name]
    with pytest.raises(ImageRejected) as caught:
        inspect(data).for_service(ANY)
    assert caught.value.code == code
    assert len(caught.value.message.split()) > 5


@pytest.mark.parametrize("name", [n for n, (_, code) in pictures.STRANGE.items() if not code])
def test_a_strange_image_becomes_an_upright_jpeg_for_the_model(name: str) -> None:
    picture = inspect(pictures.STRANGE[name][0])
    image = opened(picture.for_model().data)
    assert (picture.width, picture.height) == (400, 300)
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (400, 300))
    if name not in {"sixteen-bit.png", "palette-alpha.png"}:
        assert is_upright(image)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "AVIF", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("width", [400, 2400])
def test_orientation_is_applied_in_every_format_that_has_it(
    width: int, orientation: int, file_format: str
) -> None:
    picture = inspect(pictures.oriented(orientation, file_format, width))
    assert (picture.width, picture.height, picture.orientation) == (
        width,
        width * 3 // 4,
        orientation,
    )
    assert is_upright(opened(picture.for_model().data))
    original = picture.for_service(InputLimits(frozenset({file_format}), 30_000_000))
    assert original.upright == (width, width * 3 // 4)


def test_the_format_is_what_the_content_says() -> None:
    assert inspect(pictures.STRANGE["picture.heic"][0]).format == "HEIF"
    assert inspect(pictures.STRANGE["orientation-6.jpg"][0]).format == "JPEG"
    assert inspect(pictures.animated_gif()).frames == 3


def test_deep_samples_are_scaled_not_clipped() -> None:
    image = opened(inspect(pictures.sixteen_bit()).for_model().data)
    left, middle, right = (image.getpixel((x, 150)) for x in (5, 200, 394))
    assert is_close(left, (0, 0, 0))
    assert is_close(middle, (127, 127, 127))
    assert is_close(right, (255, 255, 255))


def test_transparency_becomes_white() -> None:
    image = opened(inspect(pictures.palette_with_alpha()).for_model().data)
    assert is_close(image.getpixel((50, 50)), pictures.WHITE)
    assert is_close(image.getpixel((50, 250)), pictures.BLUE)


def test_the_model_gets_no_metadata_and_at_most_a_megapixel() -> None:
    for data in (pictures.with_gps(), pictures.encoded(pictures.quadrants(3000, 2000), "JPEG")):
        rendition = inspect(data).for_model()
        image = opened(rendition.data)
        assert image.width * image.height <= 1_000_000
        assert not image.getexif()
        assert b"Secret" not in rendition.data


def test_a_service_gets_the_original_bytes_where_it_takes_them() -> None:
    data = pictures.oriented(6)
    rendition = inspect(data).for_service(ANY)
    assert rendition.data is data
    assert (rendition.width, rendition.height, rendition.orientation) == (300, 400, 6)
    assert rendition.stored == (400, 300)


@pytest.mark.parametrize(
    "limits",
    [
        InputLimits(frozenset({"PNG"}), max_bytes=4_000_000),
        InputLimits(frozenset({"JPEG"}), max_bytes=20_000),
        InputLimits(frozenset({"JPEG"}), max_bytes=4_000_000, max_side=500),
    ],
)
def test_a_service_gets_a_smaller_upright_jpeg_where_it_does_not(limits: InputLimits) -> None:
    data = pictures.oriented(6, width=1600)
    rendition = inspect(data).for_service(limits)
    image = opened(rendition.data)
    assert is_upright(image)
    assert len(rendition.data) < limits.max_bytes
    assert max(image.size) <= limits.max_side
    assert rendition.stored == (1600, 1200)
    assert rendition.orientation == 1


def test_what_no_size_fits_is_too_small() -> None:
    strip = inspect(pictures.encoded(pictures.quadrants(4000, 60), "PNG"))
    with pytest.raises(ImageTooSmall, match="Crop"):
        strip.for_service(InputLimits(frozenset({"PNG"}), 4_000_000, min_side=50, max_side=1000))
