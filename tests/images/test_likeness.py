"""Which pictures are near-identical frames; `bench.quality.bursts` measures it on more."""

from __future__ import annotations

import pytest
from PIL import Image, ImageEnhance

from captioning.images.likeness import is_near, sketch
from captioning.images.sketch import Sketch
from testing.factories.burst_frames import moved, noisy, sample, with_object


def near(one: Image.Image, other: Image.Image) -> bool:
    first, second = sketch(one), sketch(other)
    found = is_near(first, second)
    assert found == is_near(second, first)
    return found


@pytest.mark.parametrize("name", ["coffee", "cat", "astronaut"])
def test_frames_of_one_burst(name: str) -> None:
    first = moved(sample(name))
    assert near(first, first)
    assert near(first, noisy(first))
    assert near(first, ImageEnhance.Brightness(first).enhance(1.05))
    assert near(noisy(first), noisy(moved(sample(name), 0.005, -0.005)))


@pytest.mark.parametrize("name", ["coffee", "cat", "astronaut"])
def test_what_is_no_frame_of_it(name: str) -> None:
    first = sample(name)
    assert not near(first, first.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert not near(first, ImageEnhance.Brightness(first).enhance(0.8))
    assert not near(first, first.convert("L").convert("RGB"))
    for area in (0.02, 0.05, 0.1):
        assert not near(first, with_object(first, area))
        assert not near(first, with_object(first, area, "darkgreen"))
    assert not near(first, sample("rocket").resize(first.size))


def test_flat_pictures_of_other_colours_or_brightness() -> None:
    flat = [Image.new("RGB", (300, 200), name) for name in ("red", "green", "white", "black")]
    for image in flat:
        assert [near(image, other) for other in flat].count(True) == 1
        assert near(image, image.copy())


def test_an_object_of_the_same_brightness_is_told_by_its_colour() -> None:
    wall = Image.new("RGB", (400, 300), (120, 120, 120))
    assert not near(wall, with_object(wall, 0.02, "#b46450"))


@pytest.mark.parametrize("size", [(1, 1), (1, 5_000), (3, 2), (64, 64), (1_024, 768)])
def test_any_size_has_a_sketch_of_one_size(size: tuple[int, int]) -> None:
    made = sketch(Image.new("RGB", size, "navy"))
    assert 0 <= made.hash < 2**64
    assert len(made.pixels) == 64 * 64 + 2 * 16 * 16
    assert is_near(made, made)


def test_a_sketch_without_its_pixels_decides_nothing() -> None:
    made = sketch(sample("cat"))
    assert not is_near(made, Sketch(made.hash))
    assert not is_near(Sketch(made.hash), Sketch(made.hash))
    assert not is_near(made, Sketch(made.hash, made.pixels[:-1]))
