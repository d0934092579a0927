"""Entries on real Table Storage: however much text a picture holds. The rest is in the contract."""

from __future__ import annotations

from dataclasses import replace

import pytest

from captioning.domain.record import ImageAnalysis, TextLine
from captioning.reuse.entries import Refusal, ReuseEntry
from captioning.reuse.table import ReuseTable
from testing.harness.storage import Storage

BARE = ReuseEntry(sha256="ab" * 32, fingerprint="cd" * 32, path="poster.jpg", run="w/1")


def with_text(*lines: str) -> ReuseEntry:
    text = tuple(TextLine(line, (n, 0, 1, 1)) for n, line in enumerate(lines))
    return replace(BARE, analysis=ImageAnalysis("azure 4.0", 640, 480, text=text))


def saved(works: ReuseTable, entry: ReuseEntry) -> ReuseEntry:
    """What is read after the entry was created."""
    works.put(entry, None)
    stored = works.get(entry.sha256, entry.fingerprint)
    assert stored
    return stored.work


@pytest.mark.parametrize(
    "entry",
    [BARE, replace(BARE, refusal=Refusal("content_filtered", "Über 1.")), with_text("字" * 99_000)],
    ids=["bare", "a refusal", "more than a property holds"],
)
def test_an_entry_survives(storage: Storage, entry: ReuseEntry) -> None:
    assert saved(storage.reuse, entry) == entry


@pytest.mark.parametrize("lines", [1, 3_000])
def test_text_beyond_what_an_entity_holds_is_cut(storage: Storage, lines: int) -> None:
    entry = with_text(*["字" * (900_000 // lines)] * lines)
    kept = saved(storage.reuse, entry)
    assert entry.analysis
    assert kept.analysis
    count = len(kept.analysis.text)
    assert count >= lines // 4
    cut = replace(entry.analysis, text=entry.analysis.text[:count])
    assert kept == replace(entry, analysis=cut)


def test_the_entry_of_one_fingerprint_is_not_that_of_another(storage: Storage) -> None:
    other = replace(BARE, fingerprint="ef" * 32, path="other.jpg")
    storage.reuse.put(BARE, None)
    assert saved(storage.reuse, other) == other
    assert storage.reuse.get(BARE.sha256, "01" * 32) is None
