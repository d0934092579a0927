"""Records of an archive that people have worked on: every field, odd paths, long texts, all of
Unicode. The same number gives the same record."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from captioning.domain.record import (
    CaptionRecord,
    CaptionText,
    Claim,
    ImageInfo,
    Previous,
    Provenance,
    RecordError,
    Review,
    Status,
    Support,
    Tag,
    TextLine,
    Written,
    record_id,
)
from captioning.domain.usage import Usage
from testing.factories.records import FULL, START

PATHS = (
    "2026/{n}.jpg",
    "Straße/Žluťoučký kůň {n}.jpeg",
    "a//b/{n} #1?.png",
    "%2F{n}%20.gif",
    "'{n}' or 1 eq 1.jpg",
    "写真/{n}号.jpg",
    "🐕/{n}\u200d🌊.webp",
    "e\u0301/{n}.jpg",
    "\u00e9/{n}.jpg",
    "C:\\pictures\\{n}~.jpg",
)
WORDS = (
    *("dog", "beach", "Hündin", "海辺", "كلب", "собака", "naïve", "don't", "Ωmega", "x" * 40),
    *("🐕‍🦺", "a\u0301", "\u2028", "=SUM(A1)", "</script>", '"', "\\", "\t", "½", "ﬁsh"),
)
STATUSES: tuple[Status, ...] = (
    "processing",
    "deferred",
    "captioned",
    "captioned",
    "captioned",
    "rejected",
    "failed",
)
REVIEWS: tuple[Review, ...] = ("none", "needed", "done")
LONG_EVERY, HUGE_EVERY = 37, 211
"""One record in so many has texts of several properties of a row, or of nearly the whole row."""


def archive(count: int) -> Iterator[CaptionRecord]:
    """So many records, each of another path."""
    return (record_number(number) for number in range(count))


def record_number(number: int) -> CaptionRecord:
    """The record with this number."""
    chance = random.Random(number)
    path = PATHS[number % len(PATHS)].format(n=number)
    uploaded = START + timedelta(seconds=number // 3, microseconds=chance.randrange(1_000_000))
    is_long = number % LONG_EVERY == 1
    record = CaptionRecord(
        path=path,
        id=record_id(path),
        status=chance.choice(STATUSES),
        image=ImageInfo(
            bytes=chance.randrange(1, 50_000_000),
            etag=f'"0x{number:X}"',
            modified=uploaded,
            format="JPEG",
            width=4_000,
            height=3_000,
            frames=1,
            sha256=f"{number:064x}",
        ),
        created=uploaded,
        updated=uploaded + timedelta(minutes=chance.randrange(10_000)),
        review=chance.choice(REVIEWS),
        language="en",
        caption=f"{_text(chance, 6)} unique{number}",
        alt_text=_text(chance, 9),
        decorative=chance.random() < 0.1,
        description=_text(chance, 9_000 if is_long else 20),
        translations={"de": CaptionText(_text(chance, 4), _text(chance, 4), _text(chance, 5))},
        tags=tuple(Tag(_text(chance, 1), round(chance.random(), 4)) for _ in range(5)),
        objects=FULL.objects,
        text=_lines(chance, number),
        brands=FULL.brands,
        support=Support(round(chance.random(), 3), (_text(chance, 1),)),
        usage=Usage(3_011, cached_tokens=1_024, output_tokens=58, vision_calls=3, usd=0.0035),
        seconds=round(chance.random() * 10, 3),
        provenance=replace(FULL.provenance, edited_by_human=("caption", "tags")),
    )
    return _with_rest(record, chance)


def _with_rest(record: CaptionRecord, chance: random.Random) -> CaptionRecord:
    """With fields that only some records have."""
    rest: dict[str, object] = {
        "error": RecordError("throttled", "Later.", attempts=3, retry_at=record.updated),
        "claim": Claim("worker/7", record.updated, crashes=1),
        "note": _text(chance, 5),
        "previous": Previous(
            {"caption": _text(chance, 6), "tags": [{"name": "Mila", "confidence": 1.0}]},
            {"model": "gpt-4o-mini", "edited_by_human": ["caption"]},
            Usage(usd=0.003),
            record.created,
        ),
        "history": (Written("12" * 32, {"caption": _text(chance, 3)}, START),),
        "provenance": Provenance(reverted=True, edited_by_human=("alt_text",)),
        "alt_text": None,
        "seconds": 2.0,
    }
    return replace(record, **{name: rest[name] for name in rest if chance.random() < 0.3})  # type: ignore[arg-type]


def _text(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(WORDS, k=words))


def _lines(chance: random.Random, number: int) -> tuple[TextLine, ...]:
    count = 4_000 if number % HUGE_EVERY == 2 else chance.randrange(4)
    return tuple(TextLine(_text(chance, 8), (1, 2, 3, 4)) for _ in range(count))
