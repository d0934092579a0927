"""Boxes lie on the thing that they name: in the gallery, and over the original file."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, expect

from testing.factories.pictures import LIME
from testing.factories.turned_pictures import all_of
from testing.harness.gallery_page import EMBEDDED, dress, gallery_page
from testing.harness.running_app import RunningApp
from testing.harness.service_readings import READINGS, box_of_lime, lime_in

NAMES = (
    *(f"JPEG, EXIF {number}" for number in range(1, 9)),
    *("JPEG, EXIF of type LONG", "JPEG, XMP", "JPEG, unreadable EXIF"),
    *("PNG, eXIf 6", "PNG, eXIf behind the pixels", "PNG, APNG with a hidden image, eXIf 6"),
    *("AVIF, irot 1, imir None", "AVIF, crop", "AVIF, crop, turned and mirrored"),
    *("WebP, EXIF 6", "GIF", "GIF, a part of its canvas", "BMP", "ICO"),
)
NEAR = 4
"""Pixels on the screen that the edges of a box may be away: the picture is scaled there."""
DRAWN = """stage => [...stage.querySelectorAll("rect")].map(node => {
  const [box, all] = [node, stage].map(each => each.getBoundingClientRect());
  const { left, top } = all;
  return [box.left - left, box.top - top, box.right - left, box.bottom - top];
})"""
"""Left, top, right, bottom of every box, within the stage."""
SHOW_ORIGINAL = """async stage => {
  const image = stage.querySelector("img");
  image.src = image.src.replace(/width=\\d+&/, "");
  await image.decode();
  return [image.naturalWidth, image.naturalHeight];
}"""
"""Returns its size."""


def files() -> dict[str, bytes]:
    """By path: a grey picture with something lime in it, off the middle."""
    picture = Image.new("RGB", (400, 300), (110, 110, 110))
    picture.paste(LIME, (40, 30, 160, 90))
    made = all_of(picture)
    return {f"boxes/{name}": made[name][0] for name in NAMES}


FILES = files()


@pytest.fixture(scope="module")
def app(azurite: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    folder, name = tmp_path_factory.mktemp("boxes"), f"b{uuid.uuid4().hex[:12]}"
    with RunningApp("embedded", azurite, folder, name, settings=EMBEDDED) as running:
        for path, data in FILES.items():
            running.upload(path, data)
        for path in FILES:
            assert running.record(path)["status"] == "captioned"
        yield running


def with_boxes(record: dict[str, Any]) -> None:
    """As if a service had found what is lime, in every way that it may read the file."""
    boxes = [box_of_lime(FILES[record["path"]], read) for read in READINGS]
    record["objects"] = [{"name": "lime", "confidence": 0.9, "box": [*box]} for box in boxes]
    record["text"] = record["brands"] = []


def fits(stage: Locator) -> bool:
    """Whether each box encloses what is lime on the screen, and no more."""
    with Image.open(io.BytesIO(stage.screenshot())) as seen:
        lime = lime_in(seen)
    drawn = stage.evaluate(DRAWN)
    edges = [pair for box in drawn for pair in zip(box, lime, strict=True)]
    return len(drawn) == len(READINGS) and all(abs(one - other) <= NEAR for one, other in edges)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_a_box_fits_in_the_gallery_and_over_the_original(browser: Browser, app: RunningApp) -> None:
    with gallery_page(browser, app) as gallery:
        dress(gallery.page, with_boxes)
        stage = gallery.page.locator("#image .stage")
        picture = stage.locator("img.loaded")
        wrong = []
        for path in FILES:
            gallery.open_image(path)
            expect(picture).to_be_visible()
            if not fits(stage):
                wrong.append(path)
            image = app.record(path)["image"]
            assert stage.evaluate(SHOW_ORIGINAL) == [image["width"], image["height"]], path
            if not fits(stage):
                wrong.append(f"{path}, the original")
        assert wrong == []
