"""OpenTelemetry spans: how long each part of an image's way took, and how it ended.

The home of `opentelemetry`, of which only the API is known here: where no SDK is configured, spans
cost next to nothing and go nowhere. They carry names, numbers and codes; never a prompt, a caption,
a tag or the text of an exception. Attributes are those of OpenTelemetry's semantic conventions 1.44
and of its GenAI conventions (semantic-conventions-genai at 024a4f9, status Development).
`captioning.error` and `peer.service` repeat `error.type` and `server.address`: the exporter for
Azure Monitor (1.0.0b58) leaves these two out of what it sends.
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
from captioning.resilience.calls import Calls

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")
PROVIDERS = {"azure": "azure.ai.openai", "openai": "openai"}
"""CAPTION_PROVIDER as the conventions name it; any other one keeps its name."""
_PORTS = {"https": 443, "http": 80}
_tracer = get_tracer("captioning")


@contextmanager
def span(
    name: str, attributes: Mapping[str, AttributeValue] | None = None, *, server: str | None = None
) -> Iterator[Span]:
    """A span around the block, inside the one that is current. `server` is the URL of the service
    that is called; its host and port are recorded. An exception leaves its code or class name."""
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


class Chat:
    """Calls of a model for one caption, which may take more than one answer, on a span."""

    def __init__(self, calls: Calls, current: Span) -> None:
        self._calls = calls
        self.known, self.remember = calls.known, calls.remember
        self._span = current
        self._usage = Usage()

    def ask(self, call: Callable[[], Answer]) -> Answer:
        """Makes one request, as these calls do."""
        return self._calls.ask(call)

    def billed(self, bill: Bill) -> None:
        """Passes the bill on; the span tells what all of them add up to."""
        self._calls.billed(bill)
        self._usage += Usage(bill.input_tokens, bill.cached_tokens, bill.output_tokens)
        if bill.model:
            self._span.set_attribute("gen_ai.response.model", bill.model)
        self._span.set_attributes(
            {
                "gen_ai.usage.input_tokens": self._usage.input_tokens,
                "gen_ai.usage.cache_read.input_tokens": self._usage.cached_tokens,
                "gen_ai.usage.output_tokens": self._usage.output_tokens,
            }
        )


@contextmanager
def chat(calls: Calls, *, provider: str, model: str, server: str | None = None) -> Iterator[Calls]:
    """A span `chat MODEL` around all that a model is asked for one caption, by the calls that it
    gives. `server` is the service's URL."""
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": PROVIDERS.get(provider, provider),
        "gen_ai.request.model": model,
        "gen_ai.output.type": "json",
    }
    with span(f"chat {model}", attributes, server=server) as current:
        yield Chat(calls, current)


def carried(function: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
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


log = logging.getLogger("captioning.images")


def log_image(record: CaptionRecord, seconds: float) -> None:
    """Writes the line: as a warning where the image failed, or only its new caption did; else as
    information."""
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
        "vision_calls": paid.vision_calls,
        "usd": None if paid.usd is None else round(paid.usd, 6),
    }
