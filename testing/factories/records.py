"""Records for tests: one with every field set, and short ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from captioning.domain.record import (
    CaptionRecord,
    CaptionText,
    Claim,
    DetectedObject,
    ImageInfo,
    Previous,
    Provenance,
    RecordError,
    Support,
    Tag,
    TextLine,
    Written,
    record_id,
)
from captioning.domain.usage import Usage

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)

FULL = CaptionRecord(
    path="2026/beach day.jpg",
    id=record_id("2026/beach day.jpg"),
    status="deferred",
    image=ImageInfo(
        bytes=2_483_920,
        etag='"0x8DE"',
        modified=START,
        format="JPEG",
        width=4000,
        height=3000,
        frames=2,
        sha256="ab" * 32,
        color="Display P3",
    ),
    created=START - timedelta(microseconds=1),
    updated=START + timedelta(seconds=1),
    review="needed",
    language="en",
    caption="A dog on a beach.",
    alt_text="A dog.",
    decorative=True,
    description="A brown dog runs on a beach.",
    translations={"de": CaptionText("Ein Hund am Strand.", "Ein Hund.", "Ein brauner Hund.")},
    tags=(Tag("dog", 0.97), Tag("Hündin 🐕", 0.1)),
    objects=(DetectedObject("dog", 0.9, (1, 2, 3, 4)),),
    text=(TextLine("SALE", (5, 6, 7, 8)), TextLine("", (0, 0, 0, 0))),
    brands=(DetectedObject("Pepsi", 0.8, (9, 10, 11, 12)),),
    support=Support(0.92, ("frisbee",)),
    provenance=Provenance(
        vision="azure 4.0",
        model="gpt-4o-mini-2024-07-18",
        input="image+tags",
        fingerprint="cd" * 32,
        reused_from="other.jpg",
        burst=True,
        afresh="ef" * 16,
        vocabulary="12" * 8,
        edited_by_human=("caption",),
        reverted=True,
    ),
    usage=Usage(
        input_tokens=3011,
        cached_tokens=1024,
        output_tokens=58,
        vision_calls=3,
        usd=0.0035,
        reasoning_tokens=20,
    ),
    error=RecordError(
        "throttled",
        "Later.",
        attempts=3,
        retry_at=START + timedelta(hours=1),
        since=START - timedelta(hours=1),
        fingerprint="12" * 32,
        afresh="34" * 16,
    ),
    seconds=2.0,
    claim=Claim("worker/7", START + timedelta(minutes=2), crashes=1),
    note="Why.",
    previous=Previous(
        {"caption": "A brown dog.", "decorative": False},
        {"model": "gpt-4o-mini-2024-07-18", "edited_by_human": []},
        Usage(2_900, 1_024, 40, 3, 0.003, reasoning_tokens=10),
        START,
        undone=True,
    ),
    history=(
        Written("12" * 32, {"tags": [{"name": "Mila", "confidence": 1.0}]}, START, undone=True),
    ),
    answered=("34" * 16,),
)
"""Every field differs from its default, as a test checks."""


def short(path: str, modified: datetime = START, **changes: Any) -> CaptionRecord:
    """A captioned record of an image uploaded at a time."""
    record = CaptionRecord(
        path=path,
        id=record_id(path),
        status="captioned",
        image=ImageInfo(bytes=1, etag=f'"{modified.timestamp()}"', modified=modified),
        created=modified,
        updated=modified,
        caption=f"Caption of {path}.",
    )
    return replace(record, **changes)


def minutes(count: int) -> datetime:
    """A time after START."""
    return START + timedelta(minutes=count)
