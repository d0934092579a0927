"""What the app sees is what Chromium shows."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser

from captioning.images.picture import inspect
from testing.color_difference import mean_difference
from testing.factories.color_profiles import (
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
    bmp_with,
    chrm,
    cicp,
    clli,
    deep_heic,
    gama,
    iccp,
    levels,
    png,
    saved,
    scene,
    with_nclx,
)
from testing.harness.browser_pixels import painted
from testing.images import preview

PQ, HLG = 16, 18
Kind = Literal["png", "jpeg", "webp", "avif", "bmp"]
FILE = Image.fromarray(levels(scene()))
GREY = FILE.convert("L")
PIXELS = levels(scene())


def differs(browser: Browser, data: bytes, kind: Kind) -> float:
    """Mean CIEDE2000 between the app and Chromium."""
    return mean_difference(np.asarray(preview(data)), painted(browser, data, f"image/{kind}"))


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_profiles(browser: Browser, space: MatrixSpace) -> None:
    kinds: tuple[Kind, ...] = ("png", "webp")
    for kind in kinds:
        data = saved(FILE, kind, icc_profile=space.profile(), lossless=True)
        assert differs(browser, data, kind) < 0.2


OTHERS: dict[str, tuple[Kind, bytes]] = {
    "JPEG": ("jpeg", saved(FILE, "JPEG", subsampling=0, icc_profile=SWAPPED.profile())),
    "AVIF": ("avif", saved(FILE, "AVIF", subsampling="4:4:4", icc_profile=SWAPPED.profile())),
    "BMP": ("bmp", bmp_with(FILE, SWAPPED.profile())),
    "palette": ("png", saved(FILE.quantize(32), "PNG", icc_profile=SWAPPED.profile())),
    "grey": ("png", saved(GREY, "PNG", icc_profile=gray_profile(1.0))),
    "grey JPEG": ("jpeg", saved(GREY, "JPEG", icc_profile=gray_profile(1.8))),
    "grey by RGB": ("jpeg", saved(GREY, "JPEG", icc_profile=LINEAR.profile())),
    "RGB by grey": ("png", saved(FILE, "PNG", icc_profile=gray_profile(1.0))),
    "RGB by CMYK": ("jpeg", saved(FILE, "JPEG", subsampling=0, icc_profile=cmyk_profile())),
    "CMYK": ("jpeg", saved(FILE.convert("CMYK"), "JPEG", subsampling=0)),
    "garbage": ("png", saved(FILE, "PNG", icc_profile=b"garbage" * 50)),
    "gAMA": ("png", png(PIXELS, gama(1.0))),
    "gAMA 0.45455": ("png", png(PIXELS, gama(0.45455))),
    "gAMA 0.5": ("png", png(PIXELS, gama(0.5))),
    "gAMA of grey": ("png", png(PIXELS[:, :, 0], gama(1.0))),
    "gAMA, cHRM": ("png", png(PIXELS, gama(0.6), chrm(DISPLAY_P3.primaries, DISPLAY_P3.white))),
    "cHRM": ("png", png(PIXELS, chrm(DISPLAY_P3.primaries, DISPLAY_P3.white))),
    "sRGB, gAMA": ("png", png(PIXELS, (b"sRGB", b"\0"), gama(1.0))),
    "sRGB, iCCP": ("png", png(PIXELS, (b"sRGB", b"\0"), iccp(SWAPPED.profile()))),
    "cICP, iCCP": ("png", png(PIXELS, cicp(1, 13), iccp(SWAPPED.profile()))),
    "cICP limited": ("png", png(PIXELS, cicp(1, 8, full_range=0))),
    "cICP unknown": ("png", png(PIXELS, cicp(1, 12), gama(1.0))),
    "cICP of grey": ("png", png(PIXELS[:, :, 0], cicp(1, 8))),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_ways_to_say_it(browser: Browser, name: str) -> None:
    kind, data = OTHERS[name]
    assert differs(browser, data, kind) < 0.3


@pytest.mark.parametrize("sixteen_bit", [True, False])
def test_cmyk_profiles_but_for_the_black_point(browser: Browser, sixteen_bit: bool) -> None:
    """Chromium's engine is another one, and rounds more."""
    profile = cmyk_profile(sixteen_bit=sixteen_bit)
    data = saved(FILE.convert("CMYK"), "JPEG", subsampling=0, icc_profile=profile)
    assert differs(browser, data, "jpeg") < 2


@pytest.mark.parametrize("primaries", [1, 4, 5, 6, 7, 8, 9, 11, 12, 22])
def test_primaries(browser: Browser, primaries: int) -> None:
    assert differs(browser, png(PIXELS, cicp(primaries, 13)), "png") < 0.2
    assert differs(browser, with_nclx(FILE, primaries, 13, "AVIF"), "avif") < 0.2


@pytest.mark.parametrize("transfer", [1, 4, 5, 6, 7, 8, 13, 14, 15, 17])
def test_transfers(browser: Browser, transfer: int) -> None:
    """The curves of video are those of sRGB in an AVIF, and 2.4 in a PNG."""
    assert differs(browser, png(PIXELS, cicp(12, transfer)), "png") < 0.3
    assert differs(browser, with_nclx(FILE, 12, transfer, "AVIF"), "avif") < 0.3


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("primaries", [1, 9, 11, 12])
def test_hdr(browser: Browser, primaries: int, transfer: int) -> None:
    deep = np.round(scene() * 0.75 * 65535).astype(np.uint16)
    coarse = Image.fromarray(levels(scene() * 0.75))
    assert differs(browser, png(deep, cicp(primaries, transfer)), "png") < 1.5
    assert differs(browser, png(levels(scene()), cicp(primaries, transfer)), "png") < 1.5
    assert differs(browser, with_nclx(coarse, primaries, transfer, "AVIF"), "avif") < 1.5


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_a_deep_heic_looks_like_the_same_codes_in_a_png(browser: Browser, transfer: int) -> None:
    deep = np.round(scene() * 0.75 * 65535).astype(np.uint16)
    heic = np.asarray(preview(deep_heic(deep, 9, transfer)))
    assert mean_difference(heic, painted(browser, png(deep, cicp(9, transfer)), "image/png")) < 2


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("nits", [100, 400, 4000])
def test_the_brightest_pixel_that_an_hdr_file_names(
    browser: Browser, nits: int, transfer: int
) -> None:
    data = png(levels(scene() * 0.8), cicp(9, transfer), clli(nits))
    assert differs(browser, data, "png") < 1.5


def test_a_profile_with_code_points(browser: Browser) -> None:
    profile = SRGB.profile(code_points=(9, PQ))
    data = saved(FILE, "PNG", icc_profile=profile)
    assert inspect(data).color == "PQ BT.2020"
    assert differs(browser, data, "png") < 1.5
