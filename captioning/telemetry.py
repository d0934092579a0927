"""OpenTelemetry spans, and the log line of an image: how long each step took, and how it ended.

This is the home of `opentelemetry`. Only its API is used: when no SDK is configured, spans cost
next to nothing and go nowhere. They carry names, numbers and codes; never a prompt, a caption, a
tag or the text of an exception. Attributes are those of OpenTelemetry's semantic conventions 1.44
and of its GenAI conventions (semantic-conventions-genai at 024a4f9, status Development).
`captioning.error` and `peer.service` repeat `error.type` and `server.address`, because the exporter
for Azure Monitor (1.0.0b58) leaves these two out of what it sends.

A run writes one line of JSON for each image on the logger `captioning.images`. In Application
Insights it is `parse_json(message)` of a row in `traces`. Alerts and dashboards rest on its keys,
all of which are always there:

event          "image"
path           of the blob
status         processing, deferred, captioned, rejected or failed
code           of the record's error, such as "throttled"; null without one
attempts       at this upload so far; null without an error
retry_at       when a deferred image is tried again, RFC 3339 in UTC; else null
seconds        that this run took
bytes, format  of the image; format null if it is not known
vision, model  which services answered; null if none did
reused         whether the answers are another blob's, with the same bytes or of the same burst
input_tokens, cached_tokens, output_tokens, reasoning_tokens, vision_calls,
usd
               what the record says was paid; usd null if there is no price

Nothing that is in the image is logged: no caption, tag or text, and no message that might quote
one. Everything but printable ASCII is escaped, so that a path cannot forge a line.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from opentelemetry.trace import Span, SpanKind, StatusCode, get_tracer
from opentelemetry.util.types import AttributeValue

from captioning.domain.record import CaptionRecord
from captioning.domain.usage import Bill, Usage
from captioning.errors import CaptioningError

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")
PROVIDERS = {"azure": "azure.ai.openai", "openai": "openai"}
"""CAPTION_PROVIDER as the conventions name it; any other one keeps its name."""
_PORTS = {"https": 443, "http": 80}
_tracer = get_tracer("captioning")
log = logging.getLogger("captioning.images")


@contextmanager
def span(
    name: str, attributes: Mapping[str, AttributeValue] | None = None, *, server: str | None = None
) -> Iterator[Span]:
    """A span around the block, inside the current one. `server` is the URL of the service that is
    called; its host and port are recorded. Of an exception, its code or class name is."""
    with _tracer.start_as_current_span(
        name,
        kind=SpanKind.CLIENT if server else SpanKind.INTERNAL,
        attributes={**(attributes or {}), **_address(server)},
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except BaseException as error:
            kind = _kind(error)
            current.set_attributes({"error.type": kind, "captioning.error": kind})
            current.set_status(StatusCode.ERROR)
            raise


class ChatSpan:
    """The span of one caption, for which a model may be called more than once."""

    def __init__(self, current: Span) -> None:
        self._span = current
        self._usage = Usage()

    def billed(self, bill: Bill) -> None:
        """Adds the tokens of an answer to those on the span."""
        self._usage += Usage(
            bill.input_tokens,
            bill.cached_tokens,
            bill.output_tokens,
            reasoning_tokens=bill.reasoning_tokens,
        )
        if bill.model:
            self._span.set_attribute("gen_ai.response.model", bill.model)
        self._span.set_attributes(
            {
                "gen_ai.usage.input_tokens": self._usage.input_tokens,
                "gen_ai.usage.cache_read.input_tokens": self._usage.cached_tokens,
                "gen_ai.usage.output_tokens": self._usage.output_tokens,
                "gen_ai.usage.reasoning.output_tokens": self._usage.reasoning_tokens,
            }
        )


@contextmanager
def chat(*, provider: str, model: str, server: str | None = None) -> Iterator[ChatSpan]:
    """A span `chat MODEL` around all calls of a model for one caption. `server` is the service's
    URL."""
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": PROVIDERS.get(provider, provider),
        "gen_ai.request.model": model,
        "gen_ai.output.type": "json",
    }
    with span(f"chat {model}", attributes, server=server) as current:
        yield ChatSpan(current)


def in_current_context(
    function: Callable[Arguments, Answer],
) -> Callable[Arguments, Answer]:
    """The function, to be called on other threads: its spans are inside the one current here."""
    context = copy_context()

    def inside(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        return context.copy().run(function, *args, **kwargs)

    return inside


def _kind(error: BaseException) -> str:
    return error.code if isinstance(error, CaptioningError) else type(error).__name__


def _address(server: str | None) -> dict[str, AttributeValue]:
    if server is None:
        return {}
    url = urlsplit(server)
    host = url.hostname or ""
    port = url.port or _PORTS.get(url.scheme, 443)
    return {"server.address": host, "server.port": port, "peer.service": host}


def log_image(record: CaptionRecord, seconds: float) -> None:
    """Writes a line of JSON for an image that a run is done with: a warning if the image or its new
    caption failed, else information."""
    failed = record.status == "failed" or (record.status == "captioned" and record.error)
    level = logging.WARNING if failed else logging.INFO
    log.log(level, json.dumps(_fields(record, seconds)))


def _fields(record: CaptionRecord, seconds: float) -> dict[str, Any]:
    error, paid, made = record.error, record.usage, record.provenance
    retry_at = error.retry_at if error else None
    return {
        "event": "image",
        "path": record.path,
        "status": record.status,
        "code": error.code if error else None,
        "attempts": error.attempts if error else None,
        "retry_at": retry_at.isoformat() if retry_at else None,
        "seconds": round(seconds, 3),
        "bytes": record.image.bytes,
        "format": record.image.format,
        "vision": made.vision,
        "model": made.model,
        "reused": made.reused_from is not None,
        "input_tokens": paid.input_tokens,
        "cached_tokens": paid.cached_tokens,
        "output_tokens": paid.output_tokens,
        "reasoning_tokens": paid.reasoning_tokens,
        "vision_calls": paid.vision_calls,
        "usd": None if paid.usd is None else round(paid.usd, 6),
    }
