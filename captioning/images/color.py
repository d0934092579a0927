"""Which colours the samples of an image mean, and the same colours in sRGB.

As Chromium shows them: what it reads is read here, in the same order, and what it ignores (a
profile that does not fit the samples, EXIF's colour space, the tags of a calibrated TIFF or BMP) is
ignored.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

import pillow_heif
from PIL import Image

from captioning.images.color_codes import (
    CUT_OFF,
    D65,
    NOTHING,
    PEAK_NITS,
    SRGB,
    VIDEO_CURVES,
    by_codes,
    by_gamma,
)
from captioning.images.color_profiles import Conversion, conversion

_GREY = {"1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"}
_SRGB_GAMMA = (0.44, 0.47)
"""A PNG's gAMA, without cHRM, by which encoders mean sRGB."""


@dataclass(frozen=True, slots=True)
class ColorSpace:
    """What the file says about its colours. `name` is for the record: "sRGB" where it says
    nothing else."""

    name: str = "sRGB"

    @property
    def is_srgb(self) -> bool:
        """Whether a program that knows no colour spaces shows the right colours."""
        return self.name == "sRGB"


@dataclass(frozen=True, slots=True)
class Colors:
    """The colours of one image. Without a conversion, they are Pillow's."""

    space: ColorSpace = field(default_factory=ColorSpace)
    conversion: Conversion | None = None

    def to_srgb(self, image: Image.Image) -> Image.Image:
        """The pixels, 8 bits a sample, as RGB or RGBA in sRGB: `image` itself if it is that."""
        has_alpha = image.has_transparency_data
        if self.conversion is None:
            return _in_mode(image, "RGBA" if has_alpha else "RGB")
        seen = _in_mode(image, "RGBA") if has_alpha else image
        plain = self.conversion.to_srgb(_in_mode(seen, self.conversion.mode))
        if has_alpha:
            plain.putalpha(seen.getchannel("A"))
        return plain


def colors_of(image: Image.Image) -> Colors:
    """The colours of an opened image that is not loaded yet."""
    for source in (_png_codes, _icc_profile, _box_codes, _png_gamma):
        try:
            found = source(image)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001, S112 - strangers' bytes: browsers ignore the unreadable
            continue
        if found is not None:
            is_srgb = found.name == "sRGB"
            return Colors() if is_srgb else Colors(ColorSpace(found.name), found)
    return Colors(ColorSpace({"CMYK": "CMYK", "LAB": "Lab"}.get(image.mode, "sRGB")))


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    """The image in this mode; without a copy if it is in it."""
    return image if image.mode == mode else image.convert(mode)


def _png_codes(image: Image.Image) -> Conversion | None:
    """By cICP: full range and RGB only."""
    if image.format != "PNG":
        return None
    chunks = dict(_png_chunks(image))
    code = chunks.get(b"cICP", b"")
    if code[2:] != b"\0\1":
        return None
    peak = 0.0
    if b"cLLI" in chunks:
        peak = struct.unpack_from(">I", chunks[b"cLLI"])[0] / 10_000
    elif b"mDCV" in chunks:
        peak = struct.unpack_from(">I", chunks[b"mDCV"], 16)[0] / 10_000
    return by_codes(code[0], code[1], peak or PEAK_NITS)


def _png_chunks(image: Image.Image) -> Iterator[tuple[bytes, bytes]]:
    """The small chunks ahead of the pixels: Pillow does not keep those that it does not know."""
    with _rewound(image) as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, name = struct.unpack(">I4s", head)
            if name == b"IDAT":
                return
            if length <= 64:
                yield name, file.read(length)
            file.seek(4 if length <= 64 else length + 4, io.SEEK_CUR)


def _icc_profile(image: Image.Image) -> Conversion | None:
    """By an ICC profile, if it is one for these samples; its cicp tag counts more than the rest."""
    icc = image.info.get("icc_profile") or _bmp_profile(image)
    found = conversion(icc) if icc else None
    if found is None or not _fits(found.mode, image.mode):
        return None
    at = icc.find(b"cicp", 128, 132 + 12 * 100)
    if found.mode == "RGB" and at > 0:
        [start] = struct.unpack_from(">I", icc, at + 4)
        by_tag = by_codes(icc[start + 8], icc[start + 9])
        return by_tag or found
    return found


def _fits(of_profile: str, of_image: str) -> bool:
    """By modes. A grey picture may have a profile for RGB, whose curve is that of its grey."""
    if of_profile == "L":
        return of_image in _GREY
    if of_profile == "CMYK":
        return of_image == "CMYK"
    return of_image not in {"CMYK", "LAB"}


def _bmp_profile(image: Image.Image) -> bytes:
    """The profile in a BMP of version 5, which Pillow skips."""
    if image.format != "BMP":
        return b""
    with _rewound(image) as file:
        header = file.read(14 + 124)
        size, kind = struct.unpack_from("<I", header, 14)[0], header[14 + 56 : 14 + 60]
        if size != 124 or kind != b"DEBM":
            return b""
        start, length = struct.unpack_from("<2I", header, 14 + 112)
        file.seek(14 + start)
        return file.read(length)


def _box_codes(image: Image.Image) -> Conversion | None:
    """By the nclx box of HEIF and AVIF; the curves of video mean that of sRGB there."""
    if image.format == "AVIF":  # Pillow does not tell, and libheif reads the boxes of both
        with _rewound(image) as file:
            info = pillow_heif.open_heif(file).info
    elif image.format == "HEIF":
        info = image.info
    else:
        return None
    codes = info.get("nclx_profile")
    if not codes:
        return None
    transfer = codes["transfer_characteristics"]
    light = info.get("content_light_level") or {}
    volume = info.get("mastering_display_colour_volume") or {}
    peak = light.get("max_content_light_level") or (
        volume.get("max_display_mastering_luminance", 0) / 10_000
    )
    if transfer in VIDEO_CURVES:
        transfer = SRGB
    is_cut = image.format == "AVIF" and info["bit_depth"] > 8 and codes["matrix_coefficients"] > 0
    lack = CUT_OFF[bool(codes["full_range_flag"])] if is_cut else NOTHING
    return by_codes(codes["color_primaries"], transfer, peak or PEAK_NITS, lack)


def _png_gamma(image: Image.Image) -> Conversion | None:
    """By gAMA and cHRM of a PNG without sRGB."""
    gamma, points = image.info.get("gamma"), image.info.get("chromaticity")
    if image.format != "PNG" or not gamma or "srgb" in image.info:
        return None
    if points:
        white, red, green, blue = zip(points[::2], points[1::2], strict=True)
        return by_gamma(gamma, (red, green, blue), white)
    is_srgb = _SRGB_GAMMA[0] < gamma < _SRGB_GAMMA[1]
    return None if is_srgb else by_gamma(gamma, None, D65)


@contextmanager
def _rewound(image: Image.Image) -> Iterator[IO[bytes]]:
    """The file of an opened image from its start; its position is restored."""
    # A PNG may have been loaded to look for EXIF behind its pixels; then `fp` is gone.
    file: IO[bytes] = getattr(image, "_fp", None) or image.fp  # type: ignore[attr-defined]
    at = file.tell()
    try:
        file.seek(0)
        yield file
    finally:
        file.seek(at)
