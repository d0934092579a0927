"""Boxes come back in upright pixels of the stored image, whatever the service saw."""

from __future__ import annotations

import pytest

from captioning.domain.record import DetectedObject, ImageAnalysis, TextLine
from captioning.images.rendition import TURNED, Rendition

# In the upright 400 x 300 image the box (40, 30, 100, 50) is at these raw pixels:
RAW_BOX = {
    1: (40, 30, 100, 50),
    2: (260, 30, 100, 50),
    3: (260, 220, 100, 50),
    4: (40, 220, 100, 50),
    5: (30, 40, 50, 100),
    6: (30, 260, 50, 100),
    7: (220, 260, 50, 100),
    8: (220, 40, 50, 100),
}


def original(orientation: int) -> Rendition:
    width, height = (300, 400) if orientation in TURNED else (400, 300)
    return Rendition(b"", "image/jpeg", width, height, orientation, (400, 300))


def seen(width: int, height: int, box: tuple[int, int, int, int]) -> ImageAnalysis:
    return ImageAnalysis(
        "test",
        width,
        height,
        objects=(DetectedObject("dog", 0.9, box),),
        text=(TextLine("SALE", box),),
        brands=(DetectedObject("Acme", 0.9, box),),
        people=(DetectedObject("person", 0.9, box),),
    )


@pytest.mark.parametrize("orientation", sorted(TURNED))
def test_a_service_that_saw_the_raw_pixels_is_turned_back(orientation: int) -> None:
    placed = original(orientation).to_stored(seen(300, 400, RAW_BOX[orientation]))
    assert placed.objects[0].box == (40, 30, 100, 50)
    assert placed.text[0].box == placed.brands[0].box == placed.people[0].box == (40, 30, 100, 50)
    assert (placed.width, placed.height) == (400, 300)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_service_that_applied_the_orientation_is_taken_at_its_word(orientation: int) -> None:
    placed = original(orientation).to_stored(seen(400, 300, (40, 30, 100, 50)))
    assert placed.objects[0].box == (40, 30, 100, 50)


def test_boxes_of_a_smaller_rendition_are_scaled_up() -> None:
    rendition = Rendition(b"", "image/jpeg", 1000, 750, 1, (4000, 3000))
    assert rendition.to_stored(seen(1000, 750, (10, 20, 30, 40))).objects[0].box == (
        40,
        80,
        120,
        160,
    )


def test_boxes_stay_inside_the_image() -> None:
    placed = original(1).to_stored(seen(400, 300, (-5, 290, 500, 50)))
    assert placed.objects[0].box == (0, 290, 400, 10)


def test_a_service_that_reports_no_size_leaves_boxes_as_they_are() -> None:
    assert original(1).to_stored(seen(0, 0, (1, 2, 3, 4))).objects[0].box == (1, 2, 3, 4)
