"""The first frame of animations, icons and drawings, pixel by pixel as Chromium shows it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PIL import Image, ImageChops
from playwright.sync_api import Browser, Page

from captioning.images.picture import inspect, thumbnail
from captioning.images.rendition import InputLimits
from testing.factories.first_frames import Frame, apng, gif, ico, webp
from testing.factories.pictures import encoded, opened, quadrants
from testing.harness.browser_pictures import as_shown
from testing.images import preview

SIZE = (64, 48)
WHOLE, PART = quadrants(*SIZE), quadrants(32, 24)
HIDDEN = Image.new("RGB", SIZE, (9, 99, 199))
FADING = WHOLE.convert("RGBA")
FADING.putalpha(Image.linear_gradient("L").resize(SIZE))
GREY = Image.linear_gradient("L").resize(SIZE)
DEEP = GREY.convert("I").point(lambda level: level * 257).convert("I;16")


def of_palette(image: Image.Image) -> Image.Image:
    """With a palette whose first colour, the background of a GIF, is red."""
    reds = Image.new("P", (1, 1))
    reds.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255])
    return image.quantize(palette=reds)


def moving(image: Image.Image, at: tuple[int, int] = (0, 0), *, blend: int = 0) -> bytes:
    """An APNG that shows the image first, behind a hidden one of its mode."""
    hidden = image.transpose(Image.Transpose.ROTATE_180)
    canvas = hidden.resize(SIZE)
    frames: list[Frame] = [(image, at), (canvas, (0, 0))]
    return apng(canvas, frames, blend=blend)


RED_FIRST = of_palette(WHOLE)
GIFS = {
    "whole": gif(RED_FIRST, SIZE, (0, 0)),
    "in a corner": gif(RED_FIRST, (128, 96), (0, 0)),
    "in the middle": gif(RED_FIRST, (128, 96), (31, 17)),
    "not interlaced": gif(RED_FIRST, (128, 96), (31, 17), interlace=0),
    "transparent": gif(RED_FIRST, (128, 96), (31, 17), transparency=1),
    "disposed of": gif(RED_FIRST, (128, 96), (31, 17), transparency=1, disposal=2),
    "over the edge": gif(RED_FIRST, SIZE, (16, 8)),
    "larger than its canvas": gif(RED_FIRST, (32, 24), (0, 0)),
    "without a canvas": gif(RED_FIRST, (0, 0), (0, 0)),
    "grey": gif(GREY, (128, 96), (31, 17)),
    "animated": gif(
        RED_FIRST,
        (128, 96),
        (31, 17),
        save_all=True,
        append_images=[of_palette(WHOLE.rotate(180))],
        duration=5_000,
    ),
}
APNGS = {
    "whole": moving(WHOLE),
    "a part": moving(PART, (16, 8)),
    "a part, blended": moving(PART, (16, 8), blend=1),
    "fading": moving(FADING),
    "fading, blended": moving(FADING, blend=1),
    "a fading part, blended": moving(FADING.resize((32, 24)), (16, 8), blend=1),
    "of a palette": moving(RED_FIRST),
    "a part of a palette": moving(RED_FIRST.resize((32, 24)), (16, 8)),
    "grey": moving(GREY.resize((32, 24)), (16, 8)),
    "16 bits deep": moving(DEEP.resize((32, 24)), (16, 8)),
    "one frame": apng(HIDDEN, [(WHOLE, (0, 0))]),
}
WEBPS = {
    "a part": webp([(PART, (16, 8)), (WHOLE, (0, 0))], SIZE, b"\xff\0\0\xff"),
    "fading": webp([(FADING, (0, 0)), (WHOLE, (0, 0))], SIZE, b"\0\xff\xff\x80"),
}
ICOS = {
    "the largest last": ico([quadrants(16, 16), quadrants(64, 64).rotate(90)]),
    "the largest first": ico([quadrants(64, 64).rotate(90), quadrants(32, 32)]),
    "equally large": ico([quadrants(32, 32), quadrants(32, 32).rotate(90)]),
    "wide and tall": ico([quadrants(64, 16), quadrants(16, 64).rotate(180), quadrants(24, 24)]),
    "as BMP": encoded(FADING, "ICO", sizes=[SIZE], bitmap_format="bmp"),
}
FILES = {
    **{f"GIF, {name}": (data, "image/gif") for name, data in GIFS.items()},
    **{f"APNG, {name}": (data, "image/png") for name, data in APNGS.items()},
    **{f"WebP, {name}": (data, "image/webp") for name, data in WEBPS.items()},
    **{f"ICO, {name}": (data, "image/x-icon") for name, data in ICOS.items()},
}


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    opened_page = browser.new_page()
    yield opened_page
    opened_page.close()


@pytest.mark.parametrize("name", FILES)
def test_the_first_frame_is_what_a_browser_shows(name: str, page: Page) -> None:
    data, media_type = FILES[name]
    shown = as_shown(page, data, media_type)
    picture = inspect(data)
    assert (picture.width, picture.height) == preview(picture.data).size == shown.size
    difference = ImageChops.difference(preview(picture.data), shown)
    assert max(difference.tobytes()) <= 1  # what is half transparent may be rounded otherwise
    assert opened(thumbnail(data, 320)).size == shown.size


@pytest.mark.parametrize(
    ("data", "frames"),
    [
        (APNGS["one frame"], 1),
        (APNGS["whole"], 2),
        (GIFS["animated"], 2),
        (encoded(WHOLE, "PNG", save_all=True, append_images=[HIDDEN], duration=50), 2),
        (encoded(WHOLE, "PNG"), 1),
    ],
)
def test_only_frames_that_are_played_count(data: bytes, frames: int) -> None:
    assert inspect(data).frames == frames


@pytest.mark.parametrize("data", [APNGS["whole"], GIFS["in the middle"]])
def test_a_service_that_may_show_another_picture_gets_what_browsers_show(data: bytes) -> None:
    picture = inspect(data)
    sent = picture.for_service(InputLimits(frozenset({"PNG", "GIF"}), 1_000_000))
    assert sent.media_type == "image/jpeg"
    assert sent.stored == (sent.width, sent.height) == (picture.width, picture.height)
