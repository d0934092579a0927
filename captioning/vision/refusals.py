"""Refusals of Azure AI Vision: a status and one of three error shapes, as one of our errors.

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
from captioning.resilience.refusals import Kind, kind_of
from captioning.resilience.retry_after import retry_after

_KINDS: Mapping[int, Kind] = {405: errors.ModelGone, 407: errors.AuthRefused}
_SAID: Mapping[Kind, str] = {
    errors.AuthRefused: "Azure AI Vision does not accept the app (HTTP {status}): check VISION_KEY"
    " or give the app's identity the role Cognitive Services User; with an identity,"
    " VISION_ENDPOINT must be the resource's custom subdomain. A network rule or a used-up free"
    " tier is refused in the same way.",
    errors.ModelGone: "There is no Vision resource at VISION_ENDPOINT (HTTP {status}), or it no"
    " longer serves this VISION_API.",
    errors.ServiceThrottled: "Azure AI Vision is called more often than its tier allows.",
    errors.ServiceTimeout: "Azure AI Vision ran out of time.",
    errors.ServiceUnavailable: "Azure AI Vision is out of order (HTTP {status}).",
}
_LACKS_FEATURE = (
    "The Vision resource's region or version lacks one of VISION_FEATURES. Captions of 4.0 exist in"
    " a few regions only: take `caption` and `denseCaptions` out, or use a resource in a region"
    " that has them."
)
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
    """A response whose status is not success. `codes` and `text`, of the error and of those inside
    it, are in lower case; both are for classifying only."""

    status: int
    codes: frozenset[str]
    text: str
    retry_after: float | None

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
        """The refusal in a response, whatever its body is."""
        levels = list(_levels(body))
        return cls(
            status,
            codes=frozenset(str(level.get("code") or "").lower() for level in levels),
            text=" ".join(str(level.get("message") or "").lower() for level in levels),
            retry_after=retry_after(headers),
        )

    def error(self, image: Rendition, limits: InputLimits) -> errors.CaptioningError:
        """The refusal of this image as one of our errors."""
        return self._deferred() or self._rejected(image, limits) or self._bad()

    def _deferred(self) -> errors.ServiceDeferred | None:
        kind = kind_of(self.status, _KINDS)
        if kind not in {errors.AuthRefused, errors.ModelGone} and self._lacks_feature():
            return errors.ModelGone(_LACKS_FEATURE, self.retry_after)
        if kind is None and self.codes & _PASSING:
            kind = errors.ServiceUnavailable
        return kind(_SAID[kind].format(status=self.status), self.retry_after) if kind else None

    def _lacks_feature(self) -> bool:
        return bool(self.codes & _FEATURE) or ("feature" in self.text and "region" in self.text)

    def _rejected(self, image: Rendition, limits: InputLimits) -> errors.ImageRejected | None:
        if self.codes & _POLICY:
            return errors.ContentFiltered("Azure AI Vision's content policy refuses this image.")
        if "invalidimagesize" in self.codes or self.status == 413 or "image size" in self.text:
            return _misfit(image, limits)
        if "invalidimageformat" in self.codes:
            return errors.CorruptImage(
                "Azure AI Vision cannot decode this image: upload it again, or save it again first."
            )
        if "unsupportedmediatype" in self.codes or self.status == 415:
            return errors.UnsupportedFormat("Azure AI Vision does not read this image format.")
        return None

    def _bad(self) -> errors.BadResponse:
        return errors.BadResponse(
            f"Azure AI Vision does not accept the request (HTTP {self.status}): check VISION_API"
            " and VISION_FEATURES against what the resource offers."
        )


def _levels(body: bytes) -> list[dict[str, Any]]:
    """The error object and the ones inside it, the outermost first."""
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
