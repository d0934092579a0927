"""The features of Azure AI Vision: the calls that serve them, and which images these take.

This is the only list of features. The settings read it too, so nothing heavy is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from captioning.images.rendition import InputLimits

API_VERSION_40 = "2024-02-01"

_IN_40 = ("tags", "objects", "read", "caption", "denseCaptions", "people")
_BESIDE_40: Mapping[str, str] = MappingProxyType(
    {"brands": "Brands", "description": "Description", "adult": "Adult"}
)
_IN_32: Mapping[str, str] = MappingProxyType(
    {"tags": "Tags", "objects": "Objects", "caption": "Description", **_BESIDE_40}
)

# "The image size is not allowed to be zero or larger than 20971520 bytes": 20 MB are 20 x 1,024².
_TAKES_40 = InputLimits(
    frozenset({"JPEG", "PNG", "GIF", "BMP", "WEBP", "ICO", "TIFF", "MPO"}),
    max_bytes=20 * 1024 * 1024,
    min_side=50,
    max_side=16_000,
)
_TAKES_32 = InputLimits(
    frozenset({"JPEG", "PNG", "GIF", "BMP"}),
    max_bytes=4 * 1024 * 1024,
    min_side=50,
    max_side=16_000,
)
# 3.2 Read takes no GIF and 10,000 px; its free tier takes 4 MB. A TIFF is billed by the page.
_TAKES_READ = InputLimits(
    frozenset({"JPEG", "PNG", "BMP"}),
    max_bytes=4 * 1024 * 1024,
    min_side=50,
    max_side=10_000,
)


@dataclass(frozen=True, slots=True)
class FeaturePlan:
    """The calls for one image, with the features of each by their names in the request."""

    name: str
    v40: tuple[str, ...]
    v32: tuple[str, ...]
    read32: bool

    @property
    def billed32(self) -> tuple[str, ...]:
        """`v32` by the names of the settings, which 3.2 spells with a capital; every feature is a
        transaction. Its captions are its `description`."""
        return tuple(feature.lower() for feature in self.v32)

    @property
    def is_split(self) -> bool:
        """Whether the analysis takes more than one request."""
        return self.read32 or bool(self.v40 and self.v32)

    @property
    def limits(self) -> InputLimits:
        """The images that every one of the calls takes."""
        asked = ((self.v40, _TAKES_40), (self.v32, _TAKES_32), (self.read32, _TAKES_READ))
        takes = [limits for wanted, limits in asked if wanted]
        return InputLimits(
            frozenset.intersection(*(limits.formats for limits in takes)),
            max_bytes=min(limits.max_bytes for limits in takes),
            min_side=max(limits.min_side for limits in takes),
            max_side=min(limits.max_side for limits in takes),
        )


def supported_features(api: str) -> tuple[str, ...]:
    """Every feature that this API version has; ValueError if there is no such version."""
    if api == "4.0":
        return (*_IN_40, *_BESIDE_40)
    if api == "3.2":
        return (*_IN_32, "read")
    raise ValueError("VISION_API must be 4.0 or 3.2")


FEATURES = frozenset(supported_features("4.0"))
"""All of them: 4.0 comes with the calls of 3.2 for those that it lacks itself."""
ONLY_40 = FEATURES.difference(supported_features("3.2"))


def plan_features(api: str, features: tuple[str, ...]) -> FeaturePlan:
    """The calls that serve these features; ValueError names those that this version lacks."""
    supported = supported_features(api)
    if unknown := sorted(set(features) - set(supported)):
        raise ValueError(
            f"VISION_FEATURES names {', '.join(unknown)}, which {api} lacks;"
            f" it has {', '.join(supported)}"
        )
    if not features:
        raise ValueError("VISION_FEATURES names no feature")
    asked = [name for name in supported if name in features]
    name = f"azure {api} {API_VERSION_40} " if api == "4.0" else "azure 3.2 "
    in_32 = _BESIDE_40 if api == "4.0" else _IN_32
    return FeaturePlan(
        name=name + ",".join(asked),
        v40=tuple(name for name in asked if name in _IN_40) if api == "4.0" else (),
        v32=tuple(dict.fromkeys(in_32[name] for name in asked if name in in_32)),
        read32=api == "3.2" and "read" in asked,
    )
