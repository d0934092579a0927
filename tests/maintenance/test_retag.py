"""A changed vocabulary: what it costs (nothing), and whom it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionRecord
from captioning.maintenance.retag import Retag
from captioning.records.edits import edited
from captioning.records.tag_vocabulary import Vocabulary, parse
from testing.factories import pictures
from testing.factories.records import FULL
from testing.harness.command_line import CommandLine, saved
from testing.harness.pipeline import Works
from testing.harness.storage import Storage

FELINE, NO_INDOOR = parse("feline: cat"), parse("!indoor")


def processed(works: Works, vocabulary: Vocabulary, wake: CaptionMessage) -> CaptionRecord:
    works.pipeline(vocabulary=vocabulary).process(wake)
    return works.stored(wake.path).record


def retag(works: Works, vocabulary: Vocabulary) -> Retag:
    fingerprint = works.stored("a.jpg").record.provenance.fingerprint or ""
    return Retag(works.storage.catalog, works.deferrals, fingerprint, vocabulary.digest)


@pytest.fixture
def first(works: Works) -> CaptionRecord:
    works.storage.upload("a.jpg", pictures.oriented(1))
    return processed(works, FELINE, CaptionMessage("a.jpg"))


def names(record: CaptionRecord) -> list[str]:
    return [tag.name for tag in record.tags]


def test_the_record_has_the_vocabularys_tags_and_the_content_its_own(
    works: Works, first: CaptionRecord
) -> None:
    assert names(first) == ["feline", "indoor"]
    assert first.provenance.vocabulary == FELINE.digest
    assert first.image.sha256
    assert first.provenance.fingerprint
    kept = works.storage.reuse.get(first.image.sha256, first.provenance.fingerprint)
    assert kept
    assert kept.work.analysis
    assert [tag.name for tag in kept.work.analysis.tags] == ["cat", "indoor"]


def test_a_changed_vocabulary_costs_nothing(works: Works, first: CaptionRecord) -> None:
    paid = works.calls
    assert [record.path for record in retag(works, NO_INDOOR).all()] == ["a.jpg"]
    [wake] = works.due()
    record = processed(works, NO_INDOOR, wake)
    assert names(record) == ["cat"], "what the first one made is undone"
    assert (works.calls, record.usage) == (paid, first.usage)
    assert record.provenance.fingerprint == first.provenance.fingerprint
    assert [*retag(works, NO_INDOOR).all()] == []


def test_an_event_for_the_same_vocabulary_changes_nothing(
    works: Works, first: CaptionRecord
) -> None:
    assert processed(works, FELINE, CaptionMessage("a.jpg")) == first


def test_a_dry_run_asks_for_none(works: Works, first: CaptionRecord) -> None:
    assert [*retag(works, NO_INDOOR).all(dry_run=True)] == [first]
    assert works.due() == []


def test_what_would_be_paid_for_is_left_alone(works: Works, first: CaptionRecord) -> None:
    other = Retag(works.storage.catalog, works.deferrals, "other settings", NO_INDOOR.digest)
    assert [*other.all()] == []
    assert works.due() == []


def test_tags_that_a_person_wrote_stay(works: Works, first: CaptionRecord) -> None:
    tags = [{"name": "Mila the cat", "confidence": 1.0}]
    stored = works.stored("a.jpg")
    works.storage.catalog.save(edited(first, {"tags": tags}, works.clock()), stored)
    record = processed(works, NO_INDOOR, CaptionMessage("a.jpg"))
    assert names(record) == ["Mila the cat"]
    assert record.provenance.vocabulary == NO_INDOOR.digest


def test_it_is_no_step_to_go_back(works: Works, first: CaptionRecord) -> None:
    assert processed(works, NO_INDOOR, CaptionMessage("a.jpg")).previous == first.previous


def test_what_a_person_went_back_to_stays(works: Works, first: CaptionRecord) -> None:
    made = replace(first.provenance, reverted=True)
    works.storage.catalog.save(replace(first, provenance=made), works.stored("a.jpg"))
    assert names(processed(works, NO_INDOOR, CaptionMessage("a.jpg"))) == ["feline", "indoor"]
    assert [*retag(works, NO_INDOOR).all()] == []


def test_an_image_that_failed_since_is_not_paid_for(works: Works, first: CaptionRecord) -> None:
    """What is known of its bytes was dropped for the caption that did not come."""
    works.chat_service.script.extend(["no JSON", "none"])
    failed = processed(works, FELINE, CaptionMessage("a.jpg", afresh="more"))
    assert (failed.status, names(failed)) == ("captioned", ["feline", "indoor"])
    assert failed.error
    paid = works.calls
    assert [*retag(works, NO_INDOOR).all()] == []
    processed(works, NO_INDOOR, CaptionMessage("a.jpg"))
    assert works.calls == paid


def test_a_failed_image_is_not_paid_for_by_it(works: Works) -> None:
    works.storage.upload("a.jpg", pictures.oriented(1))
    works.chat_service.script.extend(["no JSON", "none"])
    assert processed(works, FELINE, CaptionMessage("a.jpg")).status == "failed"
    paid = works.calls
    assert processed(works, NO_INDOOR, CaptionMessage("a.jpg")).status == "failed"
    assert works.calls == paid


def test_the_command_says_what_it_does(
    command: CommandLine, storage: Storage, tmp_path: Path
) -> None:
    saved(storage, FULL.path, status="captioned")
    file = tmp_path / "tags.txt"
    file.write_text("dog: puppy", "utf-8")
    command.settings["TAG_VOCABULARY_FILE"] = str(file)
    result = command("retag", "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "0 images would get new tags\n")
