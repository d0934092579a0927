"""The line that is logged for each image: what alerts rest on, and what must not be in it."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from captioning import telemetry
from captioning.domain.record import CaptionRecord, Provenance, RecordError, Status
from captioning.domain.usage import Usage
from captioning.telemetry import log_image
from testing.factories.records import FULL, short


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "captioning.images")
    return caplog


def logged(
    lines: pytest.LogCaptureFixture, record: CaptionRecord, seconds: float = 1.5
) -> tuple[str, dict[str, Any]]:
    """The one line for the record, as text and as the document that it holds."""
    lines.clear()
    log_image(record, seconds)
    (line,) = lines.messages
    document: dict[str, Any] = json.loads(line)
    return line, document


def test_the_line_of_an_image(lines: pytest.LogCaptureFixture) -> None:
    """Alerts query these keys: one may be added, none may go or change its meaning."""
    document = logged(lines, FULL, 1.23456)[1]
    assert document == {
        "event": "image",
        "path": "2026/beach day.jpg",
        "status": "deferred",
        "code": "throttled",
        "attempts": 3,
        "retry_at": "2026-11-22T11:00:00+00:00",
        "seconds": 1.235,
        "bytes": 2483920,
        "format": "JPEG",
        "vision": "azure 4.0",
        "model": "gpt-4o-mini-2024-07-18",
        "reused": True,
        "input_tokens": 3011,
        "cached_tokens": 1024,
        "output_tokens": 58,
        "reasoning_tokens": 20,
        "vision_calls": 3,
        "usd": 0.0035,
    }


def test_what_is_not_known_is_null_and_every_key_is_there(lines: pytest.LogCaptureFixture) -> None:
    bare = replace(short("a.jpg"), provenance=Provenance(), usage=Usage(usd=None))
    document = logged(lines, bare)[1]
    assert document.keys() == logged(lines, FULL)[1].keys()
    unknown = {name for name, value in document.items() if value is None}
    assert unknown == {"code", "attempts", "retry_at", "format", "vision", "model", "usd"}
    assert document["reused"] is False


def test_the_docstring_names_every_key(lines: pytest.LogCaptureFixture) -> None:
    words = (telemetry.__doc__ or "").replace(",", " ").split()
    assert logged(lines, FULL)[1].keys() <= set(words)


@pytest.mark.parametrize(
    ("status", "level"),
    [
        ("processing", logging.INFO),
        ("deferred", logging.INFO),
        ("rejected", logging.INFO),
        ("failed", logging.WARNING),
    ],
)
def test_a_failed_image_is_a_warning(
    lines: pytest.LogCaptureFixture, status: Status, level: int
) -> None:
    logged(lines, replace(FULL, status=status))
    (record,) = lines.records
    assert (record.name, record.levelno) == ("captioning.images", level)


def test_a_caption_that_stays_as_another_failed_is_a_warning(
    lines: pytest.LogCaptureFixture,
) -> None:
    logged(lines, short("a.jpg"))
    assert lines.records[-1].levelno == logging.INFO
    logged(lines, short("a.jpg", error=RecordError("gave_up", "Why.")))
    assert lines.records[-1].levelno == logging.WARNING


def test_nothing_in_the_image_is_logged(lines: pytest.LogCaptureFixture) -> None:
    error = RecordError("bad_response", "The model said SALE.", since=FULL.updated)
    line = logged(lines, replace(FULL, error=error))[0]
    path = json.dumps(FULL.path)
    said = ["dog", "Hund", "SALE", "Pepsi", "frisbee", "brown", "Why.", "beach", "other.jpg"]
    assert [word for word in said if word in line.replace(path, "")] == []


@pytest.mark.parametrize(
    "path",
    [
        'a.jpg\n{"event": "image", "path": "forged"}',
        'a.jpg", "status": "captioned',
        "a\r\nb.jpg",
        "a\u2028b\u2029c\x85d.jpg",
        "\x1b[2J\x1b[31mred\x07\x00\x7f.jpg",
        "\u202egpj.exe\ufeff",
        "100 %s %(name)s %d.jpg",
        "\ud800 lone.jpg",
        "Hündin 🐕.jpg",
    ],
)
def test_a_path_cannot_forge_a_line(lines: pytest.LogCaptureFixture, path: str) -> None:
    line, document = logged(lines, replace(FULL, path=path))
    assert line.isascii()
    assert line.isprintable()
    assert document["path"] == path
    assert document["status"] == "deferred"


def test_money_is_told_to_a_millionth(lines: pytest.LogCaptureFixture) -> None:
    document = logged(lines, replace(FULL, usage=Usage(usd=0.1 + 0.2)))[1]
    assert document["usd"] == 0.3
