"""Azure AI Vision's "no": a status and one of three error shapes, as one of our errors.

    3.2      {"error": {"code", "message", "innererror": {"code", "message"}, "requestId"}}
    4.0      {"error": {"code", "message", "innererror": {"code", "message"}}}
    gateway  {"error": {"code": "401", "message"}}

The service's own text is read to classify, and never passed on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from captioning import errors
from captioning.images.rendition import InputLimits, Rendition
from captioning.resilience.retry_after import retry_after

_PASSING = {
    "cancelledrequest",
    "failedtoprocess",
    "internalservererror",
    "storageexception",
    "timeout",
}
# Microsoft's own table: "Unsupported image, for example, child pornography."
_POLICY = {"notsupportedimage", "responsibleaipolicyviolation", "contentfilter"}
_FEATURE = {"notsupportedvisualfeature", "notsupportedfeature"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A response whose status is not success. `codes` and `text` are lower case, `codes` from
    the outermost to the innermost; both are for classifying only."""

    status: int
    codes: frozenset[str]
    text: str
    retry_after: float | None

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
        """From a response, whatever its body is."""
        levels = list(_levels(body))
        return cls(
            status,
            codes=frozenset(str(level.get("code") or "").lower() for level in levels),
            text=" ".join(str(level.get("message") or "").lower() for level in levels),
            retry_after=retry_after(headers),
        )

    def error(self, image: Rendition, limits: InputLimits) -> errors.CaptioningError:
        """The refusal of this image as one of our errors."""
        return (
            self._deployment() or self._deferred() or self._rejected(image, limits) or self._bad()
        )

    def _deployment(self) -> errors.DeploymentBroken | None:
        if self.status in {401, 403, 407}:
            return errors.AuthRefused(
                f"Azure AI Vision does not accept the app (HTTP {self.status}): check VISION_KEY or"
                " give the app's identity the role Cognitive Services User; with an identity,"
                " VISION_ENDPOINT must be the resource's custom subdomain. A network rule or a"
                " used-up free tier is refused in the same way.",
                self.retry_after,
            )
        if self.status in {404, 405, 410} or 300 <= self.status < 400:
            return errors.ModelGone(
                f"There is no Vision resource at VISION_ENDPOINT (HTTP {self.status}), or it no"
                " longer serves this VISION_API.",
                self.retry_after,
            )
        if self.codes & _FEATURE or ("feature" in self.text and "region" in self.text):
            return errors.ModelGone(
                "The Vision resource's region or version lacks one of VISION_FEATURES: captions of"
                " 4.0 exist in a few regions only; take `caption` and `denseCaptions` out, or use a"
                " resource in a region that has them.",
                self.retry_after,
            )
        return None

    def _deferred(self) -> errors.ServiceDeferred | None:
        if self.status == 429:
            return errors.ServiceThrottled(
                "Azure AI Vision is asked more often than its tier allows.", self.retry_after
            )
        if self.status == 408:
            return errors.ServiceTimeout("Azure AI Vision ran out of time.", self.retry_after)
        if self.status >= 500 or self.codes & _PASSING:
            return errors.ServiceUnavailable(
                f"Azure AI Vision is out of order (HTTP {self.status}).", self.retry_after
            )
        return None

    def _rejected(self, image: Rendition, limits: InputLimits) -> errors.ImageRejected | None:
        if self.codes & _POLICY:
            return errors.ContentFiltered("Azure AI Vision's content policy refuses this image.")
        if "invalidimagesize" in self.codes or self.status == 413 or "image size" in self.text:
            return _misfit(image, limits)
        if "invalidimageformat" in self.codes:
            return errors.CorruptImage(
                "Azure AI Vision cannot decode this image: upload it again, or save it anew first."
            )
        if "unsupportedmediatype" in self.codes or self.status == 415:
            return errors.UnsupportedFormat("Azure AI Vision does not read this image format.")
        return None

    def _bad(self) -> errors.BadResponse:
        return errors.BadResponse(
            f"Azure AI Vision does not take the request (HTTP {self.status}): check VISION_API and"
            " VISION_FEATURES against what the resource offers."
        )


def _levels(body: bytes) -> list[dict[str, Any]]:
    """The error object and the ones inside it."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return []
    level = document.get("error", document) if isinstance(document, dict) else None
    levels = []
    while isinstance(level, dict):
        levels.append(level)
        level = level.get("innererror")
    return levels


def _misfit(image: Rendition, limits: InputLimits) -> errors.ImageRejected:
    if not image.data or min(image.width, image.height) < limits.min_side:
        return errors.ImageTooSmall(
            f"Azure AI Vision refuses an image of {image.width} x {image.height} px: each side must"
            f" have at least {limits.min_side} px. Upload a larger version."
        )
    return errors.ImageTooLarge(
        f"Azure AI Vision refuses an image of {image.width} x {image.height} px and"
        f" {len(image.data):,} bytes. Upload a smaller version."
    )
