"""Every colour space becomes the sRGB that its formulas say; what makes no sense is ignored."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageCms

from captioning.domain.record import CaptionRecord
from captioning.images import color_profiles
from captioning.images.color import colors_of
from captioning.images.decoding import opened
from captioning.images.inspected import Picture
from captioning.images.picture import inspect, thumbnail
from captioning.images.rendition import InputLimits
from testing.color_difference import mean_difference
from testing.factories.color_profiles import (
    ADOBE,
    APPLE,
    DISPLAY_P3,
    LINEAR,
    SPACES,
    SRGB,
    SWAPPED,
    MatrixSpace,
    cmyk_profile,
    gray_profile,
)
from testing.factories.colored_pictures import (
    Levels,
    bmp_with,
    chrm,
    cicp,
    gama,
    iccp,
    levels,
    png,
    saved,
    scene,
    shown,
    with_nclx,
)
from testing.factories.records import FULL
from testing.images import preview

ANY = InputLimits(frozenset({"JPEG", "PNG", "TIFF", "BMP", "AVIF"}), max_bytes=4_000_000)
BT2020 = MatrixSpace("BT.2020", ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046)))
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF", "GIF", "BMP")


def truth(data: bytes, space: MatrixSpace) -> Levels:
    """What the decoded samples of a file look like if they are of this space."""
    with opened(data) as image:
        return levels(space.converted(shown(image) / 255, SRGB))


def differs(picture: Picture, expected: Levels) -> float:
    return mean_difference(np.asarray(preview(picture.data)), expected)


def in_space(space: MatrixSpace) -> Image.Image:
    """The scene in the samples of a space."""
    return Image.fromarray(levels(SRGB.converted(scene(), space)))


@pytest.mark.parametrize("version", [2, 4])
@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_an_rgb_profile_is_applied(space: MatrixSpace, version: int) -> None:
    data = saved(in_space(space), "PNG", icc_profile=space.profile(version))
    picture = inspect(data)
    assert differs(picture, truth(data, space)) < 0.1
    assert picture.color == ("sRGB" if space is SRGB else space.name)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_a_profile_is_applied_in_every_format(file_format: str) -> None:
    profile = SWAPPED.profile()
    data = saved(in_space(SWAPPED), file_format, quality=95, icc_profile=profile)
    picture = inspect(data)
    assert picture.color == "Swapped red and green"
    assert differs(picture, truth(data, SWAPPED)) < 0.1


@pytest.mark.parametrize("alpha", [b"", b"\x80" * 32])
@pytest.mark.parametrize("mode", ["P", "RGBA"])
def test_a_profile_is_applied_to_palettes_and_beside_transparency(mode: str, alpha: bytes) -> None:
    image, options = in_space(SWAPPED), {}
    if mode == "P":
        image, options = image.quantize(32), {"transparency": alpha} if alpha else {}
    else:
        image.putalpha(Image.new("L", image.size, alpha[0] if alpha else 255))
    data = saved(image, "PNG", icc_profile=SWAPPED.profile(), **options)
    with opened(data) as file:
        samples = np.asarray(file.convert("RGBA")) / 255
    part = samples[:, :, 3:]
    expected = levels(SWAPPED.converted(samples[:, :, :3], SRGB) * part + 1 - part)
    assert differs(inspect(data), expected) < 0.5


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "TIFF"])
@pytest.mark.parametrize("mode", ["L", "LA"])
def test_a_grey_profile_is_applied(gamma: float, file_format: str, mode: str) -> None:
    grey = Image.fromarray(levels(scene()).mean(-1).astype(np.uint8)).convert(mode)
    if file_format == "JPEG":
        grey = grey.convert("L")
    data = saved(grey, file_format, icc_profile=gray_profile(gamma))
    space = MatrixSpace("", gamma=round(gamma * 256) / 256)
    assert differs(inspect(data), truth(data, space)) < 0.1
    assert inspect(data).color == f"Grey, gamma {gamma}"


def test_a_grey_picture_takes_the_curve_of_a_profile_for_rgb() -> None:
    data = saved(
        Image.fromarray(levels(scene())).convert("L"), "JPEG", icc_profile=LINEAR.profile()
    )
    assert differs(inspect(data), truth(data, LINEAR)) < 0.1


@pytest.mark.parametrize("sixteen_bit", [True, False])
@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_a_cmyk_profile_is_applied(file_format: str, sixteen_bit: bool) -> None:
    """The inks of an Adobe JPEG are stored inverted; a TIFF's are not."""
    inks = Image.fromarray(levels(scene())).convert("CMYK")
    profile = cmyk_profile(sixteen_bit=sixteen_bit)
    data = saved(inks, file_format, quality=95, icc_profile=profile)
    with opened(data) as file:
        exact = ImageCms.ImageCmsTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
            "CMYK",
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION | ImageCms.Flags.NOOPTIMIZE,
        ).apply(file)
    picture = inspect(data)
    assert differs(picture, np.asarray(exact)) < 0.3
    assert mean_difference(np.asarray(exact), levels(scene())) > 5
    assert picture.color == "A printer"


def test_cmyk_without_a_profile_and_lab_are_named() -> None:
    image = Image.fromarray(levels(scene()))
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    in_lab = ImageCms.applyTransform(image, to_lab)
    assert in_lab is not None
    lab = inspect(saved(in_lab, "TIFF"))
    assert (lab.color, inspect(saved(image.convert("CMYK"), "JPEG")).color) == ("Lab", "CMYK")
    assert differs(lab, levels(scene())) < 1


NCLX = {
    "Display P3": (12, 13, DISPLAY_P3),
    "BT.2020": (9, 14, BT2020),
    "gamma 1.0": (1, 8, LINEAR),
    "sRGB": (1, 1, SRGB),
    "gamma 2.2": (2, 4, MatrixSpace("", gamma=2.2)),
}


@pytest.mark.parametrize("file_format", ["AVIF", "HEIF"])
@pytest.mark.parametrize("name", NCLX)
def test_code_points_are_applied(name: str, file_format: str) -> None:
    primaries, transfer, space = NCLX[name]
    data = with_nclx(in_space(space), primaries, transfer, file_format)
    assert differs(inspect(data), truth(data, space)) < 0.1
    assert inspect(data).color == name


P3_GAMMA = MatrixSpace("", DISPLAY_P3.primaries, gamma=1.8)
PNGS = {
    "gAMA": ([gama(1.0)], LINEAR, "gamma 1.0"),
    "gAMA and cHRM": (
        [gama(1 / 1.8), chrm(P3_GAMMA.primaries, P3_GAMMA.white)],
        P3_GAMMA,
        "gamma 1.8 Display P3",
    ),
    "own cHRM": (
        [gama(1 / 1.8), chrm(APPLE.primaries, APPLE.white)],
        APPLE,
        "gamma 1.8 own primaries",
    ),
    "gAMA of sRGB": ([gama(0.45455)], SRGB, "sRGB"),
    "cHRM alone": ([chrm(P3_GAMMA.primaries, P3_GAMMA.white)], SRGB, "sRGB"),
    "sRGB over gAMA": ([gama(1.0), (b"sRGB", b"\0")], SRGB, "sRGB"),
    "profile over sRGB": ([(b"sRGB", b"\0"), iccp(SWAPPED.profile())], SWAPPED, SWAPPED.name),
    "cICP over profile": ([cicp(12, 13), iccp(SWAPPED.profile())], DISPLAY_P3, "Display P3"),
    "cICP of sRGB over profile": ([cicp(1, 13), iccp(SWAPPED.profile())], SRGB, "sRGB"),
    "unknown cICP": ([cicp(1, 12), gama(1.0)], LINEAR, "gamma 1.0"),
    "cICP of a limited range": ([cicp(12, 13, full_range=0)], SRGB, "sRGB"),
    "broken profile": ([iccp(b"garbage" * 40), gama(1.0)], LINEAR, "gamma 1.0"),
    "no gamma": ([gama(0)], SRGB, "sRGB"),
    "absurd gamma": ([gama(9000)], SRGB, "sRGB"),
    "primaries at zero": ([gama(1.0), (b"cHRM", b"\0" * 32)], SRGB, "sRGB"),
    "short cICP": ([(b"cICP", b"\x09")], SRGB, "sRGB"),
}


@pytest.mark.parametrize("name", PNGS)
def test_the_chunks_of_a_png_count_in_order(name: str) -> None:
    chunks, space, found = PNGS[name]
    samples = levels(SRGB.converted(scene(), space))
    picture = inspect(png(samples, *chunks))
    assert picture.color == found
    assert differs(picture, levels(space.converted(samples / 255, SRGB))) < 0.1


def test_sixteen_bits_of_a_linear_png_are_shown() -> None:
    samples = np.round(SRGB.converted(scene(), LINEAR) * 65535).astype(np.uint16)
    assert differs(inspect(png(samples, gama(1.0))), levels(scene())) < 1


def test_a_bmp_may_have_a_profile() -> None:
    image = in_space(SWAPPED)
    picture = inspect(bmp_with(image, SWAPPED.profile()))
    assert differs(picture, levels(SWAPPED.converted(shown(image) / 255, SRGB))) < 0.1
    assert inspect(bmp_with(image, b"")).color == "sRGB"


WRONG = {
    "garbage": ("RGB", b"garbage" * 60),
    "cut": ("RGB", SWAPPED.profile()[:220]),
    "empty": ("RGB", b""),
    "grey for RGB": ("RGB", gray_profile(1.0)),
    "grey for a palette": ("P", gray_profile(1.0)),
    "CMYK for RGB": ("RGB", cmyk_profile()),
    "RGB for CMYK": ("CMYK", SWAPPED.profile()),
    "CMYK for grey": ("L", cmyk_profile()),
    "a device link": ("RGB", SWAPPED.profile().replace(b"mntr", b"link")),
    "no table": ("RGB", SWAPPED.profile()[:128] + b"\0\0\0\0"),
    "unknown space": ("RGB", SWAPPED.profile().replace(b"RGB XYZ", b"7CLRXYZ")),
}


NO_SUCH_FILES = {("CMYK", "PNG"), ("P", "JPEG")}


@pytest.mark.parametrize(
    ("name", "file_format"),
    [
        (name, file_format)
        for name, (mode, _) in WRONG.items()
        for file_format in ("JPEG", "PNG", "TIFF")
        if (mode, file_format) not in NO_SUCH_FILES
    ],
)
def test_a_profile_of_no_use_is_ignored(name: str, file_format: str) -> None:
    mode, profile = WRONG[name]
    image = Image.fromarray(levels(scene())).convert(mode)
    plain, dressed = (
        inspect(saved(image, file_format, quality=95, icc_profile=icc)) for icc in (None, profile)
    )
    assert preview(dressed.data).tobytes() == preview(plain.data).tobytes()
    assert dressed.color == plain.color


def test_the_name_is_printable_short_and_never_a_false_srgb() -> None:
    def named(text: str) -> str:
        space = MatrixSpace(text, SWAPPED.primaries)
        return inspect(saved(in_space(space), "PNG", icc_profile=space.profile())).color

    assert named("Two\nlines\u202e \x1b[31m  and more") == "Two lines [31m and more"
    assert named("x" * 500) == "x" * color_profiles.MOST_NAME
    assert named("sRGB") == named("") == "RGB profile"


def test_a_profile_like_srgb_costs_nothing_and_is_called_so() -> None:
    image = Image.fromarray(levels(scene()))
    for name in ("sRGB IEC61966-2.1", "Monitor of a stranger"):
        profile = MatrixSpace(name).profile(2)
        with opened(saved(image, "PNG", icc_profile=profile)) as file:
            assert colors_of(file).conversion is None
        data = saved(image, "JPEG", icc_profile=profile)
        assert inspect(data).color == "sRGB"
        assert inspect(data).for_service(ANY).data is data


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_a_service_gets_a_rendition_in_srgb_where_the_file_is_not(file_format: str) -> None:
    data = saved(in_space(SWAPPED), file_format, icc_profile=SWAPPED.profile())
    rendition = inspect(data).for_service(ANY)
    assert rendition.data is not data
    with opened(rendition.data) as image:
        assert "icc_profile" not in image.info
        assert mean_difference(shown(image), truth(data, SWAPPED)) < 6  # JPEG halves the colours


def test_renditions_thumbnails_and_sketches_show_the_same_colours() -> None:
    side = 1600
    grey = np.full((side, side, 3), 128, np.uint8)
    data = saved(Image.fromarray(grey), "JPEG", quality=95, icc_profile=LINEAR.profile())
    picture = inspect(data)
    smaller = picture.for_service(InputLimits(frozenset(), 4_000_000, max_side=900)).data
    for jpeg in (picture.for_model().data, smaller, thumbnail(data, 200)):
        with opened(jpeg) as image:
            assert abs(shown(image).astype(int) - 188).max() <= 2
    assert set(picture.sketch().pixels[: 64 * 64]) <= {187, 188, 189}


def test_a_large_picture_is_converted_after_it_is_scaled() -> None:
    grid = np.indices((1500, 1500)).sum(0) % 2 * 255
    picture = inspect(
        saved(Image.fromarray(grid.astype(np.uint8)), "PNG", icc_profile=gray_profile(1.0))
    )
    middle = np.asarray(preview(picture.data))[400:600, 400:600].mean()
    assert 180 < middle < 196  # a half, in linear light: 188; converted before, it would be 128


def test_the_gain_map_of_an_hdr_jpeg_changes_nothing() -> None:
    image = in_space(DISPLAY_P3)
    gain_map = Image.new("L", (16, 16), 200)
    data = saved(image, "MPO", save_all=True, append_images=[gain_map], quality=95)
    alone = saved(image, "JPEG", quality=95)
    assert preview(data).tobytes() == preview(alone).tobytes()


def test_what_exif_says_about_colours_is_ignored() -> None:
    exif = Image.Exif()
    exif[0x8769] = {0xA001: 0xFFFF, 0xA005: {1: "R03"}}
    data = saved(in_space(ADOBE), "JPEG", exif=exif)
    assert inspect(data).color == "sRGB"
    assert differs(inspect(data), truth(data, SRGB)) == 0


def test_the_record_of_an_older_version_names_no_colour_space() -> None:
    document = FULL.to_json()
    assert document["image"].pop("color") == "Display P3"
    assert CaptionRecord.from_json(document).image.color is None


def test_threads_share_transforms() -> None:
    files = [
        saved(in_space(space), "PNG", icc_profile=space.profile())
        for space in SPACES
        for _ in "123"
    ]
    alone = [preview(data).tobytes() for data in files]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda data: preview(data).tobytes(), files))
    assert together == alone


def test_only_so_many_transforms_are_kept() -> None:
    for gamma in np.linspace(1, 3, 40):
        color_profiles.conversion(gray_profile(float(gamma)))
    assert len(color_profiles._kept) <= 16
