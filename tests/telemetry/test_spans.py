"""Spans: how they nest, what they say of a failure, and what they never say."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from captioning import telemetry
from captioning.domain.usage import Bill
from captioning.errors import BadResponse, ContentFiltered, ServiceThrottled
from captioning.telemetry import chat, in_current_context, span
from testing.harness.waiting import HUNG_SECONDS


class Spans:
    """What an exporter got."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def __getitem__(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.exporter.get_finished_spans() if span.name == name]
        return found

    def parent(self, name: str) -> int | None:
        parent = self[name].parent
        return parent.span_id if parent else None

    def id(self, name: str) -> int:
        return int(self[name].context.span_id)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spans]:
    made = Spans()
    monkeypatch.setattr(telemetry, "_tracer", made.provider.get_tracer("captioning"))
    yield made
    made.provider.shutdown()


def test_spans_nest_and_carry_attributes(spans: Spans) -> None:
    with span("caption_image", {"captioning.status": "captioned"}):
        with span("download"):
            pass
        with span("save"):
            pass
    assert spans.parent("download") == spans.parent("save") == spans.id("caption_image")
    assert spans.parent("caption_image") is None
    assert spans["caption_image"].attributes == {"captioning.status": "captioned"}
    assert spans["caption_image"].kind is SpanKind.INTERNAL
    assert spans["caption_image"].status.status_code is StatusCode.UNSET


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://eye.cognitiveservices.azure.com/", "eye.cognitiveservices.azure.com", 443),
        ("http://127.0.0.1:8100/v1", "127.0.0.1", 8100),
        ("http://[::1]/v1", "::1", 80),
        ("https://me:secret@eye.example/v1?sig=secret&code=secret#secret", "eye.example", 443),
    ],
)
def test_of_a_service_only_host_and_port_are_told(
    spans: Spans, url: str, host: str, port: int
) -> None:
    with span("vision", server=url):
        pass
    assert spans["vision"].kind is SpanKind.CLIENT
    told = {"server.address": host, "server.port": port, "peer.service": host}
    assert spans["vision"].attributes == told
    assert "secret" not in spans["vision"].to_json()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ServiceThrottled("a dog on a beach", retry_after=2), "throttled"),
        (ContentFiltered("a dog on a beach"), "content_filtered"),
        (BadResponse("a dog on a beach"), "bad_response"),
        (ValueError("a dog on a beach"), "ValueError"),
        (KeyboardInterrupt("a dog on a beach"), "KeyboardInterrupt"),
    ],
)
def test_a_failure_leaves_its_kind_and_no_text(
    spans: Spans, error: BaseException, kind: str
) -> None:
    with pytest.raises(type(error)) as raised, span("caption_image"), span("vision"):
        raise error
    assert raised.value is error
    for name in ("vision", "caption_image"):
        failed = spans[name]
        assert failed.attributes == {"error.type": kind, "captioning.error": kind}
        assert (failed.status.status_code, failed.status.description) == (StatusCode.ERROR, None)
        assert not failed.events
        assert "dog" not in failed.to_json()


def test_a_chat_tells_models_and_tokens_and_nothing_else(spans: Spans) -> None:
    bills = [
        Bill(model="gpt-4o-mini-2024-07-18", input_tokens=9, output_tokens=1),
        Bill(
            model="gpt-4o-mini-2024-07-18",
            input_tokens=20,
            cached_tokens=8,
            output_tokens=5,
            reasoning_tokens=3,
        ),
    ]
    with chat(
        provider="azure", model="my-deployment", server="https://ai.example/openai/v1/"
    ) as current:
        for bill in bills:
            current.billed(bill)
    asked = spans["chat my-deployment"]
    assert asked.kind is SpanKind.CLIENT
    assert asked.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "azure.ai.openai",
        "gen_ai.request.model": "my-deployment",
        "gen_ai.output.type": "json",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.usage.input_tokens": 29,
        "gen_ai.usage.cache_read.input_tokens": 8,
        "gen_ai.usage.output_tokens": 6,
        "gen_ai.usage.reasoning.output_tokens": 3,
        "server.address": "ai.example",
        "server.port": 443,
        "peer.service": "ai.example",
    }


def test_providers_have_the_names_of_the_conventions(spans: Spans) -> None:
    for provider in ("azure", "openai", "other"):
        with chat(provider=provider, model=provider):
            pass
    told = [span.attributes or {} for span in spans.exporter.get_finished_spans()]
    names = [attributes["gen_ai.provider.name"] for attributes in told]
    assert names == ["azure.ai.openai", "openai", "other"]
    assert not any("gen_ai.usage.input_tokens" in attributes for attributes in told)


def test_a_chat_that_fails_still_tells_what_it_cost(spans: Spans) -> None:
    with suppress(BadResponse), chat(provider="openai", model="m") as current:
        current.billed(Bill(input_tokens=7, output_tokens=3))
        raise BadResponse("no JSON")
    attributes = spans["chat m"].attributes
    assert attributes
    assert attributes["gen_ai.usage.input_tokens"] == 7
    assert attributes["error.type"] == "bad_response"
    assert "gen_ai.response.model" not in attributes, "the service did not say"


def test_a_pools_threads_are_inside_the_current_span(spans: Spans) -> None:
    together = threading.Barrier(2, timeout=HUNG_SECONDS)

    def analyse(name: str) -> str:
        with span(name):
            together.wait()
        return name.upper()

    with ThreadPoolExecutor(2) as pool:
        with span("caption_image"):
            answers = pool.map(in_current_context(analyse), ["vision", "model"])
            assert list(answers) == ["VISION", "MODEL"]
        with span("another"):
            pass
    assert spans.parent("vision") == spans.parent("model") == spans.id("caption_image")
    assert spans.parent("another") is None


def test_what_is_carried_leaves_nothing_behind_on_the_thread(spans: Spans) -> None:
    def look() -> None:
        with span("later"):
            pass

    with ThreadPoolExecutor(1) as pool:
        with span("caption_image"):
            pool.submit(in_current_context(look)).result()
        spans.exporter.clear()
        pool.submit(look).result()
    assert spans.parent("later") is None


def test_without_an_sdk_nothing_is_recorded_or_loaded() -> None:
    """The app and its spans load no SDK: in the cloud the worker configures one beforehand."""
    code = (
        "import sys, function_app\n"
        "from captioning.captioner import client\n"
        "from captioning.storage import blobs, tables\n"
        "from captioning.vision import client\n"
        "from captioning.telemetry import span\n"
        "with span('caption_image') as current:\n"
        "    assert not current.is_recording()\n"
        "heavy = ('opentelemetry.sdk', 'opentelemetry.instrumentation', 'azure.monitor')\n"
        "print([name for name in sys.modules if name.startswith(heavy)])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
