"""Records that this version cannot read: listed, deletable, and left alone otherwise."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from captioning.api.captions import CaptionApi
from captioning.api.edits import EditApi
from captioning.api.error_responses import respond
from captioning.api.images import ImageChanges
from captioning.api.mcp_tools import ImageTools
from captioning.api.messages import Request, Response
from captioning.api.recaption import RecaptionApi
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionRecord, Provenance, StoredRecord, record_id
from captioning.errors import RecordChanged, RecordUnreadable
from captioning.maintenance.recaption import Recaption
from captioning.maintenance.reprocess import Limits, Round, Selection
from captioning.records import unreadable
from captioning.search.query import Query, parse
from testing.factories import pictures
from testing.factories.records import FULL, minutes, short
from testing.fakes.faults import Clock
from testing.fakes.stores import MemoryDeferrals
from testing.harness.maintenance import MaintenanceLab
from testing.harness.pipeline import PipelineLab, on
from testing.harness.planted_rows import columns_of, plant, plant_in, rows_of
from testing.harness.storage import Storage

BROKEN: dict[str, dict[str, Any]] = {
    "status": {"status": "archived"},
    "review": {"review": "urgent"},
    "image": {"image": "{"},
    "tags": {"tags": '[{"name": "x"}]'},
    "provenance": {"provenance": '{"input": "video"}'},
    "created": {"created": "yesterday"},
    "updated": {"updated": "2026-11-22T10:00:00"},
    "usage": {"usage": '{"usd": 1e999}'},
    "caption": {"caption": 5},
    "text": {"text": "[" * 20_000},
    "seconds": {"seconds": float("nan")},
}
"""Columns by the field that is wrong then."""
OTHERS = ("b.jpg", "c.jpg")


@pytest.fixture(autouse=True)
def _logged_anew() -> None:
    unreadable._log_once.cache_clear()


def seeded(storage: Storage, path: str = "a.jpg", **changes: Any) -> CaptionRecord:
    """A record between two others."""
    record = short(path, minutes(1), caption="A zebra.", **changes)
    storage.catalog.save(record, None)
    for number, other in enumerate(OTHERS):
        storage.catalog.save(short(other, minutes(2 * number), caption="A zebra, too."), None)
    return record


def listed(storage: Storage, query: Query | None = None) -> dict[str, str]:
    """Status by path, as both ways of listing have it."""
    asked = query or Query()
    page = storage.catalog.search(asked, 10).records
    walked = [*storage.catalog.walk(asked)]
    assert [record.path for record in page] == [record.path for record in walked]
    return {record.path: record.status for record in page}


def stored_columns(storage: Storage, record: CaptionRecord) -> list[dict[str, Any]]:
    partition, keys = rows_of(storage, record)
    return [columns_of(storage, "catalog", partition, key) for key in keys]


def found(storage: Storage, path: str = "a.jpg") -> StoredRecord:
    stored = storage.catalog.get(path)
    assert stored
    return stored


def asked(path: str = "a.jpg", body: bytes = b"", **headers: str) -> Request:
    given_headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("https://app.example/x", path, given_headers, body)


def code(response: Response) -> tuple[int, str]:
    return response.status, json.loads(response.body)["code"]


def images(lab: MaintenanceLab) -> ImageChanges:
    cleanup = lab.cleanup()
    return ImageChanges(
        images=lab.storage.images,
        records=lab.storage.catalog,
        check=lambda _: None,  # type: ignore[arg-type, return-value]  # nothing is uploaded
        erase=lab.storage.erasure(lab.now).erase,
        forget_record=cleanup.forget_record,
        max_image_bytes=1_000,
    )


@pytest.mark.parametrize("field", BROKEN)
def test_it_is_listed_with_its_id_and_hides_no_other(
    field: str, storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    record = seeded(storage)
    plant_in(storage, record, **BROKEN[field])
    status = {"a.jpg": "unreadable", "b.jpg": "captioned", "c.jpg": "captioned"}
    assert [*listed(storage).items()] == [
        (path, status[path]) for path in ("c.jpg", "a.jpg", "b.jpg")
    ]
    api = CaptionApi(storage.catalog)
    for name in ("a.jpg", f"sha256:{record.id}"):
        document = json.loads(api.get_caption(asked(name)).body)
        assert (document["id"], document["status"]) == (record.id, "unreadable")
        assert document["error"]["code"] == "unreadable"
        assert f"record: {field}." in document["error"]["message"]
    tools = ImageTools(storage.catalog, ("en",))
    assert tools.describe_image({"path": "a.jpg"})["status"] == "unreadable"
    images = tools.find_images({})["images"]
    assert [each["status"] for each in images] == ["captioned", "unreadable", "captioned"]
    assert listed(storage, Query(status="unreadable")) == {"a.jpg": "unreadable"}
    assert listed(storage, Query(status="captioned")).keys() == {*OTHERS}
    assert {*OTHERS} <= listed(storage, parse("zebra", (), ("en",))).keys()
    lines = [line.message for line in caplog.records if "cannot be read" in line.message]
    assert lines == [f"The record {record.id} cannot be read and is left as it is: {field}"]
    assert "zebra" not in caplog.text


def test_without_its_path_it_is_found_by_its_id(storage: Storage) -> None:
    record = seeded(storage)
    plant_in(storage, record, without=("path", "image"))
    name = f"sha256:{record.id}"
    assert listed(storage) == {"c.jpg": "captioned", name: "unreadable", "b.jpg": "captioned"}
    assert listed(storage, parse("zebra", (), ("en",)))[name] == "unreadable"
    assert storage.catalog.paths(10, None) == (["c.jpg", "b.jpg"], None)
    assert found(storage).record.path == "a.jpg"  # whoever asks by the path knows it


def test_a_broken_copy_leads_to_its_record(storage: Storage) -> None:
    record = seeded(storage)
    partition, (_, copy) = rows_of(storage, record)
    plant(storage, "catalog", partition, copy, status="archived")
    assert listed(storage)["a.jpg"] == "captioned"


@pytest.mark.parametrize(
    "change", [{"image": "{"}, {"rows": "{"}, {"image": "{", "rows": "[1]"}, {}]
)
@pytest.mark.parametrize("by", ["path", "id"])
def test_it_can_be_deleted(change: dict[str, Any], by: str, storage: Storage) -> None:
    lab = MaintenanceLab(storage)
    record = lab.record(lab.upload("a.jpg"), caption="A zebra.")
    others = [lab.record(lab.upload(path), caption="A zebra.") for path in OTHERS]
    partition, keys = rows_of(storage, record)
    plant(storage, "catalog", partition, keys[0], status="archived", **change)
    changes = images(lab)
    name = "a.jpg" if by == "path" else f"sha256:{record.id}"
    assert changes.delete(asked(name)).status == 204
    assert storage.catalog.get("a.jpg") is None
    assert listed(storage).keys() == {*OTHERS}
    assert listed(storage, parse("zebra", (), ("en",))).keys() == {*OTHERS}
    left = storage.table.page(partition, "", "~", 1_000, ["PartitionKey", "RowKey"])
    mine = [row["RowKey"] for row in left if record.id in row["RowKey"]]
    assert "rows" in change or mine == []
    assert not [key for key in mine if not key.startswith("term~")]
    assert [found(storage, other.path).record for other in others] == others


def test_without_its_path_its_rows_can_be_deleted_by_its_id(storage: Storage) -> None:
    record = seeded(storage)
    plant_in(storage, record, without=("path",))
    changes = images(MaintenanceLab(storage))
    by_id = asked(f"sha256:{record.id}")
    assert changes.delete(by_id).status == 204
    assert code(changes.delete(by_id)) == (404, "not_found")
    assert listed(storage).keys() == {*OTHERS}


def test_the_event_of_a_deletion_removes_it(storage: Storage) -> None:
    lab = MaintenanceLab(storage)
    record = lab.record(lab.upload("a.jpg"))
    plant_in(storage, record, **BROKEN["status"])
    assert not lab.cleanup().forget("a.jpg")
    storage.delete("a.jpg")
    assert lab.cleanup().forget("a.jpg")
    assert listed(storage) == {}


Attempt = Callable[[Storage, MaintenanceLab], tuple[int, str]]


def _edit(storage: Storage, _: MaintenanceLab) -> tuple[int, str]:
    request = asked(body=b'{"caption": "x"}', content_type="application/json", if_match="*")
    return code(respond(EditApi(storage.catalog, Clock()).patch_caption, request))


def _revert(storage: Storage, _: MaintenanceLab) -> tuple[int, str]:
    return code(respond(EditApi(storage.catalog, Clock()).post_revert, asked(if_match="*")))


def _recaption(storage: Storage, lab: MaintenanceLab) -> tuple[int, str]:
    requests = Recaption(storage.images, storage.catalog, lab.messages)
    return code(respond(RecaptionApi(storage.catalog, requests).post, asked()))


@pytest.mark.parametrize("attempt", [_edit, _revert, _recaption])
def test_a_request_to_change_it_is_refused(attempt: Attempt, storage: Storage) -> None:
    lab = MaintenanceLab(storage)
    record = lab.record(lab.upload("a.jpg"))
    plant_in(storage, record, **BROKEN["provenance"])
    before = stored_columns(storage, record)
    assert attempt(storage, lab) == (409, "unreadable")
    assert stored_columns(storage, record) == before
    assert lab.messages.put_by == []


def test_nobody_saves_over_it(storage: Storage) -> None:
    record = seeded(storage)
    plant_in(storage, record, **BROKEN["status"])
    before = stored_columns(storage, record)
    with pytest.raises(RecordUnreadable):
        storage.catalog.save(record, found(storage))
    with pytest.raises(RecordChanged):
        storage.catalog.save(record, None)
    with pytest.raises(RecordUnreadable):
        storage.catalog.save(replace(short("new.jpg"), status="unreadable"), None)
    assert stored_columns(storage, record) == before


@pytest.mark.parametrize("is_new_upload", [False, True])
def test_runs_and_cleanup_leave_it_alone(is_new_upload: bool, lab: PipelineLab) -> None:
    storage = lab.storage
    maintenance = MaintenanceLab(storage)
    record = maintenance.record(maintenance.upload("a.jpg"), status="processing")
    plant_in(storage, record, **BROKEN["review"])
    if is_new_upload:
        storage.upload("a.jpg", b"other")
    before = stored_columns(storage, record)
    for message in (on("a.jpg"), CaptionMessage("a.jpg", afresh="ab" * 16)):
        left = lab.pipeline().process(message)
        assert left
        assert left.status == "unreadable"
    assert maintenance.cleanup().poisoned("a.jpg") is None
    assert stored_columns(storage, record) == before
    assert lab.calls == (0, 0)
    assert lab.deferrals.held == []


def test_a_run_that_meets_it_at_its_end_leaves_it_alone(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", pictures.encoded(pictures.quadrants(), "JPEG"))
    planted: list[dict[str, Any]] = []

    def plant_it() -> None:
        record = lab.stored("a.jpg").record
        plant_in(lab.storage, record, **BROKEN["status"])
        planted.extend(stored_columns(lab.storage, record))

    lab.model.once(plant_it)
    ended = lab.pipeline().process(on("a.jpg"))
    assert ended
    assert ended.status == "unreadable"
    assert stored_columns(lab.storage, ended) == planted


def test_no_round_of_reprocess_takes_it(storage: Storage) -> None:
    made = Provenance(model="m", fingerprint="old")
    record = seeded(storage, provenance=made)
    plant_in(storage, record, **BROKEN["review"])
    deferrals = MemoryDeferrals(Clock())
    for selection in (Selection(stale=True), Selection(status="captioned")):
        found_by = Round(
            selection,
            Limits(),
            catalog=storage.catalog,
            recaption=Recaption(storage.images, storage.catalog, deferrals),
            fingerprint="new",
            estimates=_Free(),
        )
        assert "a.jpg" not in [each.record.path for each in found_by]


def test_rows_with_keys_of_no_form_hide_nothing(storage: Storage) -> None:
    """In lists, posting lists and marks."""
    record = seeded(storage, provenance=Provenance(model="m", fingerprint="f" * 64))
    partition, _ = rows_of(storage, record)
    keys = [
        *("all~", "all~0", "all~99999999999999-x", "all~zz", "stub~", "stub~xyz", "record~xyz"),
        *("term~word~zebra~0", "term~word~zebra~~z", "term~made~", "term~made~x", "term~made~f~1"),
    ]
    for key in keys:
        plant(storage, "catalog", partition, key, kind="stub" if "xyz" in key else "odd")
    plant(storage, "words", "dictionary", "word~zebrb", shown=5)
    plant(storage, "words", "dictionary", "word~zebrc")
    every = {"a.jpg", *OTHERS}
    assert listed(storage).keys() == every
    assert listed(storage, parse("zebra", (), ("en",))).keys() == every
    assert listed(storage, parse("zebr", (), ("en",))).keys() == every
    assert listed(storage, Query(not_made="g" * 64)).keys() == {"a.jpg"}
    assert storage.catalog.search(Query(), 1).next is not None
    assert {*storage.catalog.paths(10, None)[0]} == every
    clock = MaintenanceLab(storage)
    clock.pass_time(days=1)
    storage.catalog_over(storage.table, now=clock.now).settle()
    assert listed(storage).keys() == every


NAMES = st.one_of(
    st.sampled_from([*FULL.to_json(), "rows", "rows_2", "text_2", "kind", "save", "licence"]),
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True),
)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=5,
).map(json.dumps)
FIELDS = st.sampled_from([json.dumps(value) for value in FULL.to_json().values()])
VALUES = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=40).filter(lambda text: text != "stub"),
    JSONS,
    FIELDS,
    st.integers(-(2**31), 2**31 - 1),
    st.floats(),
    st.booleans(),
    st.binary(max_size=9),
    st.datetimes(min_value=minutes(0).replace(year=1601, tzinfo=None)),
    st.uuids(),
)
GARBAGE = st.dictionaries(NAMES, VALUES, min_size=1, max_size=4)


@given(columns=GARBAGE, is_in_copy=st.booleans())
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_is_in_one_record_the_others_work(
    columns: dict[str, Any], is_in_copy: bool, storage: Storage
) -> None:
    path = f"{record_id(repr(columns))}.jpg"
    record = short(path, minutes(1), caption="A zebra.")
    stale = Provenance(model="m", fingerprint="old")
    for number, other in enumerate(OTHERS):
        before = storage.catalog.get(other)
        storage.catalog.save(
            short(other, minutes(2 * number), caption="A zebra.", provenance=stale), before
        )
    storage.catalog.save(record, None)
    partition, keys = rows_of(storage, record)
    for key in keys if is_in_copy else keys[:1]:
        plant(storage, "catalog", partition, key, **columns)
    caption_api, tools = CaptionApi(storage.catalog), ImageTools(storage.catalog, ("en",))
    for query in ("", "?q=zebra", "?status=captioned", "?q=zeb", "?limit=1"):
        response = caption_api.list_captions(Request(f"https://app.example/x{query}"))
        document = json.loads(response.body, parse_constant=pytest.fail)
        names = {item["path"] for item in document["items"]}
        assert "limit" in query or {*OTHERS} <= names
    assert {*OTHERS} <= {image["path"] for image in tools.find_images({})["images"]}
    assert {*OTHERS} <= {*storage.catalog.paths(1_000, None)[0]}
    edits = EditApi(storage.catalog, Clock())
    for name in (*OTHERS, path):
        request = asked(name, b'{"alt_text": "x"}', content_type="application/json", if_match="*")
        assert respond(edits.patch_caption, request).status == 200 or name == path
        assert respond(edits.patch_caption, request).status in {200, 409}
    deferrals = MemoryDeferrals(Clock())
    found_by = Round(
        Selection(stale=True),
        Limits(),
        catalog=storage.catalog,
        recaption=Recaption(storage.images, storage.catalog, deferrals),
        fingerprint="new",
        estimates=_Free(),
    )
    assert {*OTHERS} <= {each.record.path for each in found_by}
    assert MaintenanceLab(storage).cleanup().forget_record(record.id)
    assert storage.catalog.get(path) is None


class _Free:
    basis = ""

    def of(self, _: CaptionRecord) -> float:
        return 0.0


def test_it_is_logged_once(storage: Storage, caplog: pytest.LogCaptureFixture) -> None:
    plant_in(storage, seeded(storage), **BROKEN["status"])
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            found(storage)
    assert len(caplog.records) == 1
