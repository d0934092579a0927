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
from testing.harness.pipeline import PipelineLab
from testing.harness.storage import Storage

FELINE, NO_INDOOR = parse("feline: cat"), parse("!indoor")


def processed(lab: PipelineLab, vocabulary: Vocabulary, wake: CaptionMessage) -> CaptionRecord:
    lab.pipeline(vocabulary=vocabulary).process(wake)
    return lab.stored(wake.path).record


def retag(lab: PipelineLab, vocabulary: Vocabulary) -> Retag:
    fingerprint = lab.stored("a.jpg").record.provenance.fingerprint or ""
    return Retag(lab.storage.catalog, lab.deferrals, fingerprint, vocabulary.digest)


@pytest.fixture
def first(lab: PipelineLab) -> CaptionRecord:
    lab.storage.upload("a.jpg", pictures.oriented(1))
    return processed(lab, FELINE, CaptionMessage("a.jpg"))


def names(record: CaptionRecord) -> list[str]:
    return [tag.name for tag in record.tags]


def test_the_record_has_the_vocabularys_tags_and_the_content_its_own(
    lab: PipelineLab, first: CaptionRecord
) -> None:
    assert names(first) == ["feline", "indoor"]
    assert first.provenance.vocabulary == FELINE.digest
    assert first.image.sha256
    assert first.provenance.fingerprint
    kept = lab.storage.reuse.get(first.image.sha256, first.provenance.fingerprint)
    assert kept
    assert kept.work.analysis
    assert [tag.name for tag in kept.work.analysis.tags] == ["cat", "indoor"]


def test_a_changed_vocabulary_costs_nothing(lab: PipelineLab, first: CaptionRecord) -> None:
    paid = lab.calls
    assert [record.path for record in retag(lab, NO_INDOOR).all()] == ["a.jpg"]
    [wake] = lab.due()
    record = processed(lab, NO_INDOOR, wake)
    assert names(record) == ["cat"], "what the first one made is undone"
    assert (lab.calls, record.usage) == (paid, first.usage)
    assert record.provenance.fingerprint == first.provenance.fingerprint
    assert [*retag(lab, NO_INDOOR).all()] == []


def test_an_event_for_the_same_vocabulary_changes_nothing(
    lab: PipelineLab, first: CaptionRecord
) -> None:
    assert processed(lab, FELINE, CaptionMessage("a.jpg")) == first
    assert processed(lab, NO_INDOOR, CaptionMessage("a.jpg")) == first, "nor one for another"


def test_a_dry_run_asks_for_none(lab: PipelineLab, first: CaptionRecord) -> None:
    assert [*retag(lab, NO_INDOOR).all(dry_run=True)] == [first]
    assert lab.due() == []


def test_what_would_be_paid_for_is_left_alone(lab: PipelineLab, first: CaptionRecord) -> None:
    other = Retag(lab.storage.catalog, lab.deferrals, "other settings", NO_INDOOR.digest)
    assert [*other.all()] == []
    assert lab.due() == []


def test_tags_that_a_person_wrote_stay(lab: PipelineLab, first: CaptionRecord) -> None:
    tags = [{"name": "Mila the cat", "confidence": 1.0}]
    stored = lab.stored("a.jpg")
    lab.storage.catalog.save(edited(first, {"tags": tags}, lab.clock()), stored)
    record = processed(lab, NO_INDOOR, CaptionMessage("a.jpg", renew="tags"))
    assert names(record) == ["Mila the cat"]
    assert record.provenance.vocabulary == NO_INDOOR.digest


def test_it_is_no_step_to_go_back(lab: PipelineLab, first: CaptionRecord) -> None:
    assert (
        processed(lab, NO_INDOOR, CaptionMessage("a.jpg", renew="tags")).previous == first.previous
    )


def test_what_a_person_went_back_to_stays(lab: PipelineLab, first: CaptionRecord) -> None:
    made = replace(first.provenance, reverted=True)
    lab.storage.catalog.save(replace(first, provenance=made), lab.stored("a.jpg"))
    assert names(processed(lab, NO_INDOOR, CaptionMessage("a.jpg", renew="tags"))) == [
        "feline",
        "indoor",
    ]
    assert [*retag(lab, NO_INDOOR).all()] == []


def test_an_image_that_failed_since_is_not_paid_for(lab: PipelineLab, first: CaptionRecord) -> None:
    """What is known of its bytes was dropped for the caption that did not come."""
    lab.chat_service.script.extend(["no JSON", "none"])
    failed = processed(lab, FELINE, CaptionMessage("a.jpg", afresh="more"))
    assert (failed.status, names(failed)) == ("captioned", ["feline", "indoor"])
    assert failed.error
    paid = lab.calls
    assert [*retag(lab, NO_INDOOR).all()] == []
    processed(lab, NO_INDOOR, CaptionMessage("a.jpg", renew="tags"))
    assert lab.calls == paid


def test_a_failed_image_is_not_paid_for_by_it(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", pictures.oriented(1))
    lab.chat_service.script.extend(["no JSON", "none"])
    assert processed(lab, FELINE, CaptionMessage("a.jpg")).status == "failed"
    paid = lab.calls
    assert processed(lab, NO_INDOOR, CaptionMessage("a.jpg", renew="tags")).status == "failed"
    assert lab.calls == paid


def test_the_command_says_what_it_does(
    command: CommandLine, storage: Storage, tmp_path: Path
) -> None:
    saved(storage, FULL.path, status="captioned")
    file = tmp_path / "tags.txt"
    file.write_text("dog: puppy", "utf-8")
    command.settings["TAG_VOCABULARY_FILE"] = str(file)
    result = command("retag", "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "0 images would get new tags\n")
