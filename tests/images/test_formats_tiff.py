"""TIFFs of every depth and layout show the picture that other readers show."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from captioning.errors import CorruptImage, ImageRejected, UnsupportedFormat
from captioning.images.picture import check_header, inspect
from testing.factories.pictures import encoded, is_upright, quadrants
from testing.factories.tiffs import Page, file, page, tiff
from testing.images import preview

WIDE = {8: np.uint8, 10: np.uint16, 12: np.uint16, 14: np.uint16, 16: np.uint16}


def scene(width: int, height: int) -> np.ndarray:
    """Red grows to the right, green downwards; blue repeats."""
    y, x = np.mgrid[0:height, 0:width]
    blue = (x * 3 + y * 5) % 256
    samples: np.ndarray = np.stack([x * 255 // (width - 1), y * 255 // (height - 1), blue], -1)
    return samples


def scaled(samples: np.ndarray, bits: int) -> np.ndarray:
    """Samples of 8 bits as samples of so many."""
    made: np.ndarray = (samples / 255 * (2**bits - 1)).round()
    return made.astype(WIDE.get(bits, np.uint32))


def differs(data: bytes, expected: np.ndarray) -> float:
    """The mean difference in levels between what the model sees and what is expected."""
    check_header(data, 1)
    return float(np.abs(np.asarray(preview(data)).astype(int) - expected).mean())


LAYOUTS: list[dict[str, Any]] = [
    {"order": order, "planar": planar, **more}
    for order in "<>"
    for planar in (False, True)
    for more in (
        {"rows": 7},
        {"tile": 16},
        {"rows": 7, "compression": 8, "big": True},
        {"tile": 16, "compression": 8},
    )
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16, 24, 32])
def test_samples_of_any_size_in_any_layout(bits: int, layout: dict[str, Any]) -> None:
    rgb = scene(33, 21) if layout["planar"] else scene(130, 90)
    grey, opaque = rgb[..., :1], rgb[..., :1] * 0 + 255
    ink = np.concatenate([255 - rgb, grey * 0], -1)
    greys = np.repeat(grey, 3, -1)
    for samples, photometric, extra, expected in (
        (rgb, 2, (), rgb),
        (np.concatenate([rgb, opaque], -1), 2, (2,), rgb),
        (ink, 5, (), rgb),
        (np.concatenate([ink, opaque], -1), 5, (2,), rgb),
        (grey, 1, (), greys),
        (255 - grey, 0, (), greys),
        (np.concatenate([grey, opaque], -1), 1, (1,), greys),
        (np.concatenate([grey, opaque], -1), 1, (2,), greys),
    ):
        tags = {338: (3, extra)} if extra else {}
        data = tiff(scaled(samples, bits), bits, photometric, tags=tags, **layout)
        assert differs(data, expected) < 1, (photometric, extra)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("bits", [16, 32])
def test_differences_between_neighbours_are_added_up(bits: int, order: str) -> None:
    grey = scene(130, 90)[..., :1]
    both = scaled(np.concatenate([grey, grey * 0 + 255], -1), bits)
    extra = {338: (3, [2])}
    data = tiff(both, bits, 1, order=order, compression=8, predictor=2, tags=extra)
    assert differs(data, np.repeat(grey, 3, -1)) < 1


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("predictor", [1, 3])
def test_floating_point_numbers_from_0_to_1_are_a_share_of_white(
    predictor: int, kind: type, order: str
) -> None:
    rgb = scene(130, 90)
    bits = np.dtype(kind).itemsize * 8
    packing: dict[str, Any] = {"order": order, "compression": 8, "predictor": predictor}
    assert differs(tiff((rgb / 255).astype(kind), bits, 2, **packing), rgb) < 1
    grey = rgb[..., :1]
    expected = np.repeat(grey, 3, -1)
    assert differs(tiff((grey / 255).astype(kind), bits, 1, **packing), expected) < 1


@pytest.mark.parametrize("outlier", [np.nan, np.inf, -np.inf, 1e6, -1e6])
@pytest.mark.parametrize("most", [1, 3_000])
def test_a_hot_pixel_or_one_that_is_no_number_leaves_the_others_alone(
    most: float, outlier: float
) -> None:
    grey = scene(130, 90)[..., :1]
    samples: np.ndarray = (grey / 255 * most).astype(np.float32)
    samples[3, 3] = outlier
    assert differs(tiff(samples, 32, 1), np.repeat(grey, 3, -1)) < 2


@pytest.mark.parametrize(("level", "shown"), [(0, 0), (0.5, 128), (1, 255), (7, 128), (-3, 128)])
def test_a_flat_picture_is_black_only_if_it_is_zero(level: float, shown: int) -> None:
    flat = np.full((20, 30, 1), level, np.float32)
    assert differs(tiff(flat, 32, 1), np.full((20, 30, 3), shown)) < 1


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        (np.uint32, 0, 2**32 - 1),
        (np.uint32, 0, 900),
        (np.int32, -450, 450),
        (np.int16, -450, 450),
        (np.int8, -100, 100),
    ],
)
def test_whole_numbers_that_are_signed_or_use_few_values_are_stretched(
    kind: type, low: int, high: int, order: str
) -> None:
    grey = scene(256, 20)[..., :1]
    samples: np.ndarray = (low + grey / 255 * (high - low)).round().astype(kind)
    for compression in (1, 8):
        data = tiff(samples, samples.itemsize * 8, 1, order=order, compression=compression)
        assert differs(data, np.repeat(grey, 3, -1)) < 2


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("order", "<>")
def test_lab_of_16_bits(order: str, *, planar: bool) -> None:
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    image = ImageCms.applyTransform(quadrants(), to_lab)
    assert image is not None
    samples = np.asarray(image).astype(np.uint16) * 257  # a and b are signed in both
    data = tiff(samples, 16, 8, order=order, planar=planar)
    assert is_upright(preview(data))


@pytest.mark.parametrize("across", [1, 2, 4])
@pytest.mark.parametrize("down", [1, 2])
def test_uncompressed_colours_at_fewer_places_than_brightness(down: int, across: int) -> None:
    width, height = 121, 91
    bands = [np.asarray(band) for band in quadrants(width, height).convert("YCbCr").split()]
    missing = ((0, -height % down), (0, -width % across))
    bright, blue, red = (np.pad(band, missing, mode="edge") for band in bands)
    units = b"".join(
        bright[y : y + down, x : x + across].tobytes() + bytes([blue[y, x], red[y, x]])
        for y in range(0, height, down)
        for x in range(0, width, across)
    )
    shape = {256: (4, [width]), 257: (4, [height]), 258: (3, [8, 8, 8]), 277: (3, [3])}
    tags: dict[int, Any] = {**shape, 262: (3, [6]), 278: (4, [height]), 530: (3, [across, down])}
    assert is_upright(preview(file([Page(tags, [units])])))


def test_what_is_missing_of_the_last_tile_may_lie_outside_the_picture() -> None:
    made = page(np.asarray(quadrants(120, 90)), 8, 2, tile=64)
    places = [1000 + 64 * 64 * 3 * number for number in range(len(made.blocks))]
    sizes = [64 * 64 * 3] * len(made.blocks)
    bare = Page({**made.tags, 324: (4, places), 325: (4, sizes)})
    whole = file([bare]).ljust(1000, b"\0") + b"".join(made.blocks)
    outside = (64 - (90 - 64)) * 64 * 3
    assert is_upright(preview(whole[:-outside]))
    with pytest.raises(CorruptImage):
        inspect(whole[: -outside - 1])


@pytest.mark.parametrize("order", "<>")
def test_the_page_that_is_shown_is_no_reduced_one(order: str) -> None:
    small = page(np.zeros((30, 40, 3), np.uint8), 8, 2, order=order)
    small.tags[254] = (4, [1])
    full = page(np.asarray(quadrants()), 8, 2, order=order)
    for big in (False, True):
        picture = inspect(file([small, full], order=order, big=big))
        assert (picture.width, picture.height) == (400, 300)
        assert is_upright(preview(picture.data))


@pytest.mark.parametrize("place", [10_000_000, 3, 4])
def test_a_later_page_that_is_broken_does_not_matter(place: int) -> None:
    data = bytearray(encoded(quadrants(), "TIFF"))
    at = int.from_bytes(data[4:8], "little")
    at += 2 + 12 * int.from_bytes(data[at : at + 2], "little")
    data[at : at + 4] = struct.pack("<I", place)
    picture = inspect(bytes(data))
    assert picture.frames == 1
    assert is_upright(preview(picture.data))


@pytest.mark.parametrize(
    ("bits", "photometric", "tags", "words"),
    [
        (32, 1, {339: (3, [6])}, "TIFF of complex numbers"),
        (24, 1, {339: (3, [3])}, "TIFF of 24-bit floating-point numbers"),
        (16, 3, {}, "TIFF of a palette with 16-bit samples"),
        (8, 1, {259: (3, [34887])}, "TIFF with compression LERC"),
        (8, 1, {259: (3, [34712])}, "TIFF with compression JPEG 2000"),
        (8, 1, {259: (3, [50002])}, "TIFF with compression JPEG XL"),
    ],
)
def test_what_is_not_read_is_named(bits: int, photometric: int, tags: Any, words: str) -> None:
    samples = np.zeros((40, 60, 1), WIDE.get(bits, np.uint32))
    data = tiff(samples, bits, photometric, tags=tags)
    with pytest.raises(UnsupportedFormat, match=words):
        check_header(data, 1)


@pytest.mark.parametrize("bits", [12, 16, 32])
def test_a_deep_tiff_that_is_cut_is_corrupt(bits: int) -> None:
    samples = scaled(scene(130, 90), bits)
    made = page(samples, bits, 2)
    bare = Page({**made.tags, 273: (4, [1000]), 279: (4, [len(made.blocks[0])])})
    whole = file([bare]).ljust(1000, b"\0") + made.blocks[0]
    assert differs(whole, scene(130, 90)) < 1
    for cut in (1, 500, len(whole) // 2, len(whole) - 100):
        with pytest.raises(CorruptImage):
            inspect(whole[:-cut])


@pytest.mark.parametrize("tag", [256, 257])
def test_a_tiff_without_a_size_is_corrupt(tag: int) -> None:
    made = page(scene(130, 90).astype(np.uint16), 16, 2, order=">")
    with pytest.raises(ImageRejected):
        check_header(file([Page({**made.tags, tag: (4, [0])}, made.blocks)], order=">"), 1)


def test_directories_that_point_in_circles_end() -> None:
    made = page(np.asarray(quadrants()), 8, 2)
    made.tags[330] = (4, [8] * 1_000)
    data = bytearray(file([made]))
    at = int.from_bytes(data[4:8], "little")
    tag = at + 2 + 12 * len({**made.tags, 273: 0, 279: 0})
    data[tag : tag + 4] = struct.pack("<I", at)
    assert is_upright(preview(bytes(data)))


def test_packed_by_lzw_and_by_bits() -> None:
    grey = Image.fromarray(scene(130, 90)[..., 0].astype(np.uint8))
    for method in ("tiff_lzw", "packbits", "tiff_adobe_deflate"):
        # Bytes of pairs: as Pillow packs them for one band, they are those of 16-bit samples.
        high = grey.resize((260, 90), Image.Resampling.NEAREST)
        stored = encoded(high, "TIFF", compression=method)
        data = bytearray(stored)
        at = int.from_bytes(data[4:8], "little")
        for entry in range(int.from_bytes(data[at : at + 2], "little")):
            place = at + 2 + 12 * entry
            tag = int.from_bytes(data[place : place + 2], "little")
            changed = {256: 130, 258: 16, 262: 0}.get(tag)
            if changed is not None:
                data[place + 8 : place + 12] = struct.pack("<I", changed)
        expected = 255 - np.repeat(scene(130, 90)[..., :1], 3, -1)
        assert differs(bytes(data), expected) < 1, method
