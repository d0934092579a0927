"""What must be true of a scenario: at any time, and when everything has settled."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile

from captioning.domain.record import FINAL, CaptionRecord
from captioning.domain.usage import NOTHING
from captioning.records.edits import with_returned
from captioning.records.written import MOST_WRITTEN, edits_of, returning
from captioning.resilience.gate import Gate
from captioning.webhook.sender import WebhookSender
from testing.fakes.webhook_receiver import KEY, MemoryReceiver
from testing.harness.catalog_rows import check_rows, rows_of
from testing.simulation.processes import booked
from testing.simulation.scenario import Scenario
from testing.simulation.world import CORRUPT, FILTERED, MODEL, ODD, FakePicture, price_of

ENDS = {
    CORRUPT: ("rejected", "corrupt"),
    FILTERED: ("rejected", "content_filtered"),
    ODD: ("failed", "bad_response"),
}
"""The final status and code of contents that cannot be captioned."""


def check_that_nothing_is_lost(scenario: Scenario) -> None:
    """Every image without a final record has an event or a message that a run will act on."""
    for path, (blob, _) in scenario.store.images.held.items():
        record = scenario.record(path)
        current = record if record and record.image.etag == blob.etag else None
        if (current and current.status in FINAL) or path in scenario.missed:
            continue
        waits = current if current and current.status == "deferred" else None
        heeded = {None, waits.claim.worker if waits and waits.claim else None}
        wakes = [m.wake for m in scenario.store.deferrals.held if m.wake.path == path]
        heard = [w for w in wakes if waits is None or w.afresh or w.ticket in heeded]
        assert heard or path in scenario.events + scenario.poisoned, (path, record, wakes)


def check_that_every_end_is_announced(scenario: Scenario) -> None:
    """Every final record has been announced, in the version before any edits."""
    if scenario.store.notices is None:
        return
    held = [(notice.path, notice.updated) for notice, _ in scenario.store.notices.held]
    for record in scenario.reader.walk():
        if record.status in FINAL:
            announced = [updated for path, updated in held if path == record.path]
            is_edited = bool(edits_of(record))
            assert record.updated in announced or (
                is_edited and min(announced) <= record.updated
            ), (record, announced)


def check_that_the_receiver_knows(scenario: Scenario) -> None:
    """When everything has settled, the last delivery about an image is its record."""
    notices = scenario.store.notices
    if notices is None:
        return
    receiver = MemoryReceiver()
    notifier = WebhookSender(
        catalog=scenario.workers.processes[0].catalog,
        receiver=receiver,
        gate=Gate("The receiver"),
        queue=notices,
        keys=(KEY,),
        on_outage=lambda _: None,
        now=scenario.store.now,
    )
    while notices.held:
        scenario.store.now.advance(60)
        for notice in notices.taken():
            notifier.notify(notice)
    for record in scenario.reader.walk():
        assert receiver.latest(record.path) == record.to_json()
    assert receiver.same_under_one_identity()


def check_that_a_caption_stays(scenario: Scenario) -> None:
    """A captioned record stays captioned until its blob changes or another caption is requested."""
    for path, (blob, _) in scenario.store.images.held.items():
        record = scenario.record(path)
        if record and record.status == "captioned":
            scenario.captioned[path] = record.image.etag
        elif scenario.captioned.get(path) == blob.etag:
            assert any(wake.path == path for wake, _ in scenario.requests), (path, record)


def check_that_nothing_is_paid_twice(scenario: Scenario) -> None:
    """Each service is paid once for a content, apart from answers that could not be saved and from
    requests for another caption."""
    for (service, content), times in scenario.store.services.paid.items():
        if (service, content) == (MODEL, ODD):
            continue  # an answer that cannot be used
        asked = sum(content in scenario.uploads[wake.path] for wake, _ in scenario.requests)
        allowed = 1 + scenario.workers.excuses[service, content] + asked
        assert times <= allowed, (service, content, times, allowed)


def check_that_everything_is_found(scenario: Scenario) -> None:
    """The index has the rows of every record at any time, and no others."""
    check_rows(scenario.store.table)


def check_the_end(scenario: Scenario) -> None:
    """Each blob has its record, each record its blob, and the ledger has what was paid."""
    held = scenario.store.images.held
    listed = scenario.workers.processes[0].catalog.walk()
    assert sorted(record.path for record in listed) == sorted(held)
    assert not [key for key in rows_of(scenario.store.table) if key.startswith("stub~")]
    for path, (blob, content) in held.items():
        record = scenario.record(path)
        assert record
        assert record.image.etag == blob.etag
        _check_record(record, content, scenario)
        _check_edits(record, content, scenario)
        _check_history(record, content, scenario)
    _check_reuse(scenario)
    _check_ledger(scenario)


def _check_record(record: CaptionRecord, content: bytes, scenario: Scenario) -> None:
    code = record.error.code if record.error else None
    if code == "poisoned":
        assert record.path in scenario.given_up
        return
    assert record.claim is None
    if any(etag == record.image.etag for _, etag in scenario.requests):
        assert record.provenance.afresh or record.path in scenario.missed
    assert (record.status, code) == ENDS.get(content, ("captioned", None))
    if record.status == "captioned":
        word = content.decode()
        edited = record.provenance.edited_by_human
        assert "caption" in edited or record.caption == f"A {word}."
        assert "tags" in edited or [tag.name for tag in record.tags] == [word]
        assert record.image.sha256 == FakePicture(content).sha256


def _check_edits(record: CaptionRecord, content: bytes, scenario: Scenario) -> None:
    """The record has the corrections of these bytes, and none of other bytes. While the bytes are
    unknown, corrections may wait until they are known."""
    backwards = reversed(scenario.history[record.path])
    same = [etag for etag, _ in takewhile(lambda upload: upload[1] == content, backwards)]
    assert not returning(record.history, record.image.sha256)
    image = replace(record.image, sha256=FakePicture(content).sha256)
    found = with_returned(replace(record, image=image)).to_json()
    for field, values in scenario.editors.left(record.path, record.image.etag, same).items():
        assert found[field] in values, (field, values, record)
    for field, value in edits_of(record).items():
        about = scenario.editors.about(record.path, field, value)
        assert any(scenario.contents[etag] == content for etag in about), (field, value, record)


def _check_history(record: CaptionRecord, content: bytes, scenario: Scenario) -> None:
    """The history has the corrections of the other bytes that the path has had, unless it is
    full."""
    if len(record.history) == MOST_WRITTEN:
        return
    for other in {found for _, found in scenario.history[record.path]} - {content}:
        sha256 = FakePicture(other).sha256
        etags = {etag for etag, found in scenario.history[record.path] if found == other}
        kept = [entry.edits for entry in record.history if entry.sha256 == sha256]
        for field, value in scenario.editors.latest(record.path, etags).items():
            assert any(edits.get(field) == value for edits in kept), (field, value, record)


def _check_reuse(scenario: Scenario) -> None:
    """No more records claim to have been paid for than answers were paid for."""
    for content in {content for _, content in scenario.store.images.held.values()}:
        paths = [path for path, (_, c) in scenario.store.images.held.items() if c == content]
        records = [record for path in paths if (record := scenario.record(path))]
        bought = [r for r in records if _has_caption(r) and r.provenance.reused_from is None]
        assert len(bought) <= scenario.store.services.paid[MODEL, content], bought


def _has_caption(record: CaptionRecord) -> bool:
    """Whether the record has a caption of the model, or would have without corrections."""
    edited = "caption" in record.provenance.edited_by_human
    return record.status == "captioned" if edited else record.caption is not None


def _check_ledger(scenario: Scenario) -> None:
    for process in scenario.workers.processes:
        process.ledger.save()
    counts = scenario.store.services.paid.items()
    paid = sum((price_of(service) for (service, _), times in counts for _ in range(times)), NOTHING)
    lost, on_ledger = scenario.workers.lost, booked(scenario.store)
    figures = f"paid {paid}, lost {lost}, booked {on_ledger}"
    assert (paid.usd or 0) - (lost.usd or 0) <= (on_ledger.usd or 0), figures
    assert (on_ledger.usd or 0) <= (paid.usd or 0) or scenario.workers.may_book_twice, figures
