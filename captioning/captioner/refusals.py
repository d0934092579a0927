"""Refusals of a chat completions service: as our errors, and when a simpler request may do.

The service's own text is read to classify, and never passed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from captioning import errors
from captioning.captioner.request import Dialect
from captioning.resilience.refusals import Kind, kind_of
from captioning.resilience.retry_after import retry_after

Provider = Literal["azure", "openai"]
ENDPOINT: dict[Provider, str] = {"azure": "AZURE_OPENAI_ENDPOINT", "openai": "OPENAI_BASE_URL"}
KEY: dict[Provider, str] = {"azure": "AZURE_OPENAI_API_KEY", "openai": "OPENAI_API_KEY"}
ROLE = {
    "azure": " or give the app's identity the role Cognitive Services OpenAI User",
    "openai": "",
}
# 402 is a spent balance, 409 a lock: neither is the image's fault.
_KINDS: Mapping[int, Kind] = {
    402: errors.ServiceThrottled,
    409: errors.ServiceUnavailable,
    499: errors.ServiceTimeout,  # a proxy's, for a client that it saw go away
}
_SAID: Mapping[Kind, str] = {
    errors.ServiceThrottled: "The caption service is out of quota.",
    errors.ServiceTimeout: "The caption service ran out of time.",
    errors.ServiceUnavailable: "The caption service is out of order (HTTP {status}).",
}
_FILTERED = {
    *("content_filter", "content_policy_violation", "moderation_blocked", "data_inspection_failed"),
    *("content_filtered", "safety", "moderation", "content_policy", "prohibited_content"),
}
_FLAGGED = (
    *("responsibleaipolicyviolation", "content management policy", "input was flagged"),
    *(
        "flagged by",
        "data_inspection_failed",
        "inappropriate content",
        "moderation",
        "safety system",
    ),
)
"""What gateways and other makers' servers say of a picture that they refuse for what it shows,
whatever status and code they give it."""
_REFUSED_PICTURE = frozenset({400, 403, 422, 451})
_NO_KEY = {"no_db_connection", "invalid_api_key"}
"""Codes of a 400 about the key: LiteLLM without a database looks a wrong one up in it."""
_NO_IMAGES = (
    "mmproj",
    "image input is not supported",
    "does not support image",
    "not a multimodal",
)
_TOO_LONG = ("context_length_exceeded", "context size", "context length", "maximum context")
_STRUCTURED = ("response_format", "json_schema", "structured output", "grammar")
_CAN_BE_SIMPLER = frozenset({400, 422, 500, 501})
_GONE = {"deploymentnotfound", "deployment_not_found", "model_not_found"}
_IMAGE_FORMAT = {"invalid_image_format", "unsupported_image", "unsupported_image_media_type"}
_IMAGE = {"invalid_image", "image_parse_error", "invalid_base64_image", "empty_image_file"}


@dataclass(frozen=True)
class Refusal:
    """A response whose status is an error. `text` is for classifying only."""

    status: int
    code: str
    text: str
    retry_after: float | None

    @classmethod
    def of(cls, status: int, body: object, headers: Mapping[str, str]) -> Refusal:
        """The refusal in a response; `body` is its error object, or whatever it has instead."""
        fields: dict[Any, Any] = body if isinstance(body, dict) else {}
        code = str(fields.get("code") or "").lower()
        return cls(status, code, str(body).lower(), retry_after(headers))

    def simpler(self, dialect: Dialect) -> Dialect | None:
        """The dialect to try next, if the refused part of the request can be left out."""
        if self.status not in _CAN_BE_SIMPLER or self._is_filtered():
            return None
        if dialect.effort and "reasoning_effort" in self.text:
            # A model that takes the parameter, but not this value, names the values that it takes.
            takes_others = self.code == "unsupported_value" or "supported values" in self.text
            return dialect.next_effort() if takes_others else replace(dialect, effort=None)
        if dialect.structured and any(name in self.text for name in _STRUCTURED):
            return replace(dialect, structured=False)
        if dialect.completion_tokens and "max_completion_tokens" in self.text:
            return replace(dialect, completion_tokens=False)
        return None

    def error(self, provider: Provider, model: str) -> errors.CaptioningError:
        """The refusal as one of our errors."""
        if self.status in _REFUSED_PICTURE and self._is_filtered():
            return errors.ContentFiltered(
                "The caption service's content filter refuses this image."
            )
        if any(said in self.text for said in _NO_IMAGES):
            return errors.ModelGone(
                f"The model {model!r} takes no images (HTTP {self.status}): choose a CAPTION_MODEL "
                "that does, start the server with its image part, or set CAPTION_INPUT to tags."
            )
        kind = errors.AuthRefused if self.code in _NO_KEY else kind_of(self.status, _KINDS)
        if kind is errors.AuthRefused:
            return errors.AuthRefused(
                f"The caption service does not accept the app (HTTP {self.status}): check "
                f"{KEY[provider]}{ROLE[provider]}."
            )
        if kind is errors.ModelGone or self.code in _GONE:
            return errors.ModelGone(
                f"There is no model {model!r} at the caption service (HTTP {self.status}): check "
                f"CAPTION_MODEL and {ENDPOINT[provider]}."
            )
        if kind:
            return kind(_SAID[kind].format(status=self.status), self.retry_after)
        return self._image_rejected() or self._bad_response()

    def _is_filtered(self) -> bool:
        return self.code in _FILTERED or any(said in self.text for said in _FLAGGED)

    def _image_rejected(self) -> errors.CaptioningError | None:
        if self.code in _IMAGE_FORMAT or "unsupported image" in self.text:
            return errors.UnsupportedFormat("The caption service does not read this image format.")
        if self.code in _IMAGE or "invalid image" in self.text:
            return errors.CorruptImage("The caption service cannot decode this image.")
        return None

    def _bad_response(self) -> errors.CaptioningError:
        if self.status == 413 or any(said in self.text for said in _TOO_LONG):
            return errors.BadResponse(
                f"The request is longer than the model takes (HTTP {self.status}): give the model "
                "a larger context, or shorten the prompt, CAPTION_LANGUAGES or VISION_FEATURES."
            )
        return errors.BadResponse(
            f"The caption service does not accept the request (HTTP {self.status}): check that "
            "CAPTION_MODEL is a chat model and, unless CAPTION_INPUT is tags, takes images."
        )
