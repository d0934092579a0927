"""PATCH /api/captions/{*path} over a real catalogue."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from captioning.api.captions import CaptionApi
from captioning.api.edits import ATTEMPTS, MAX_BODY, EditApi
from captioning.api.messages import Request, Response, strong
from captioning.domain.record import CaptionRecord, Provenance, Status, StoredRecord, Tag, record_id
from captioning.errors import BadRequest, RecordChanged, ServiceDeferred
from captioning.records.edits import kept
from testing.factories.records import FULL, short
from testing.fakes.faults import Clock
from testing.harness.storage import Storage

JSON = "application/json"


@pytest.fixture
def edits(storage: Storage) -> EditApi:
    return EditApi(storage.catalog, Clock())


def patch(path: str, match: str | None = "*", media_type: str = JSON, **fields: Any) -> Request:
    """An edit, as the host hands it over."""
    headers = {"content-type": media_type} | ({} if match is None else {"if-match": match})
    return Request("https://app.example/x", path, headers, json.dumps(fields).encode())


def code(response: Response) -> tuple[int, str]:
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "ETag" not in response.headers
    return response.status, json.loads(response.body)["code"]


def saved(storage: Storage, path: str = "a.jpg") -> StoredRecord:
    found = storage.catalog.get(path)
    assert found
    return found


def edited(api: EditApi, request: Request) -> CaptionRecord:
    """The record that the answer holds."""
    response = api.patch_caption(request)
    assert response.status == 200
    return CaptionRecord.from_json(json.loads(response.body))


def test_an_edit_is_saved_and_answered_with_its_etag(storage: Storage, edits: EditApi) -> None:
    before = short("a.jpg")
    storage.catalog.save(before, None)
    read = CaptionApi(storage.catalog).get_caption(Request("/x", "a.jpg"))
    etag = read.headers["ETag"]
    assert not etag.startswith("W/")
    request = patch("a.jpg", etag, caption="Mila.", tags=["Mila"], review="done")
    response = edits.patch_caption(request)
    assert response.status == 200
    again = CaptionApi(storage.catalog).get_caption(Request("/x", "a.jpg"))
    assert again.body == response.body
    assert again.headers["ETag"] == response.headers["ETag"] != etag
    known = before.provenance
    assert saved(storage).record == replace(
        before,
        caption="Mila.",
        tags=(Tag("Mila", 1.0),),
        review="done",
        updated=Clock()(),
        provenance=replace(known, edited_by_human=("caption", "review", "tags")),
    )
    assert list(storage.catalog.walk()) == [saved(storage).record]


@pytest.mark.parametrize("media_type", ["application/merge-patch+json", "APPLICATION/JSON; a=b"])
@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', "*"])
def test_either_type_and_any_form_of_the_etag_is_taken(
    storage: Storage, edits: EditApi, form: str, media_type: str
) -> None:
    etag = storage.catalog.save(short("a.jpg"), None).etag.removeprefix("W/")
    record = edited(edits, patch("a.jpg", form.format(etag), media_type, caption="Mila."))
    assert record.caption == "Mila."


def test_a_record_is_found_by_its_id(storage: Storage, edits: EditApi) -> None:
    storage.catalog.save(short("a%2Fb.jpg"), None)
    record = edited(edits, patch(f"sha256:{record_id('a%2Fb.jpg')}", caption="Mila."))
    assert record.path == "a%2Fb.jpg"


def test_another_version_is_not_edited(storage: Storage, edits: EditApi) -> None:
    old = storage.catalog.save(short("a.jpg"), None).etag.removeprefix("W/")
    edited(edits, patch("a.jpg", old, caption="First."))
    before = saved(storage)
    for match in (old, f"W/{old}", '"x"', "x", ",", '"*"'):
        assert code(edits.patch_caption(patch("a.jpg", match, caption="2nd."))) == (412, "changed")
    assert saved(storage) == before


@pytest.mark.parametrize("match", [None, "", " "])
def test_an_edit_names_a_version(storage: Storage, edits: EditApi, match: str | None) -> None:
    storage.catalog.save(short("a.jpg"), None)
    response = edits.patch_caption(patch("a.jpg", match, caption="Mila."))
    assert code(response) == (428, "precondition_required")


@pytest.mark.parametrize("match", ["*", '"x"'])
def test_without_a_record_there_is_nothing_to_edit(edits: EditApi, match: str) -> None:
    assert code(edits.patch_caption(patch("a.jpg", match, caption="Mila."))) == (404, "not_found")


@pytest.mark.parametrize(
    "media_type",
    [
        "",
        "text/plain",
        "application/json-patch+json",
        "application/problem+json",
        f"{JSON}, {JSON}",
    ],
)
def test_other_types_are_refused(storage: Storage, edits: EditApi, media_type: str) -> None:
    storage.catalog.save(short("a.jpg"), None)
    response = edits.patch_caption(patch("a.jpg", "*", media_type, caption="Mila."))
    assert code(response) == (415, "bad_media_type")


def test_a_large_body_is_not_read(storage: Storage, edits: EditApi) -> None:
    storage.catalog.save(short("a.jpg"), None)
    request = patch("a.jpg", caption="Mila.")
    padded = request.body + b" " * (MAX_BODY - len(request.body))
    assert edits.patch_caption(replace(request, body=padded)).status == 200
    larger = edits.patch_caption(replace(request, body=padded + b" "))
    assert code(larger) == (413, "too_large")


def test_what_is_not_understood_is_refused(storage: Storage, edits: EditApi) -> None:
    storage.catalog.save(short("a.jpg"), None)
    before = saved(storage)
    for request, reason in [
        (patch("a.jpg", status="captioned"), "bad_field"),
        (patch("a.jpg"), "bad_body"),
        (replace(patch("a.jpg", caption="x"), url="/x?force=1"), "unknown_parameter"),
    ]:
        with pytest.raises(BadRequest) as caught:
            edits.patch_caption(request)
        assert caught.value.reason == reason
    assert saved(storage) == before


@pytest.mark.parametrize("status", ["processing", "deferred", "captioned", "rejected", "failed"])
def test_a_record_is_edited_whatever_its_status(
    storage: Storage, edits: EditApi, status: Status
) -> None:
    """Nothing else changes, least of all a run's claim."""
    before = replace(FULL, status=status, caption=None, note="No tag, so no caption.")
    storage.catalog.save(before, None)
    record = edited(edits, patch(FULL.path, alt_text="Mila."))
    made = replace(before.provenance, edited_by_human=("alt_text", "caption"))
    expected = replace(before, alt_text="Mila.", decorative=False, provenance=made, support=None)
    assert record == replace(expected, updated=record.updated, previous=record.previous)
    assert (record.status, record.claim, record.error) == (status, FULL.claim, FULL.error)


def test_a_caption_takes_the_note_away_that_says_why_there_was_none(
    storage: Storage, edits: EditApi
) -> None:
    storage.catalog.save(short("a.jpg", caption=None, note="No tag.", review="needed"), None)
    assert edited(edits, patch("a.jpg", tags=["Mila"])).note == "No tag."
    record = edited(edits, patch("a.jpg", caption="Mila."))
    assert (record.note, record.review) == (None, "needed")
    assert edited(edits, patch("a.jpg", review="done")).review == "done"
    storage.catalog.save(short("b.jpg", note="The text was cut."), None)
    assert edited(edits, patch("b.jpg", caption="Mila.")).note == "The text was cut."


def test_of_alt_text_and_decorative_the_later_one_decides(storage: Storage, edits: EditApi) -> None:
    storage.catalog.save(short("a.jpg", alt_text="A border."), None)
    steps: list[tuple[dict[str, Any], tuple[str | None, bool]]] = [
        ({"decorative": True}, ("", True)),
        ({"alt_text": "Mila."}, ("Mila.", False)),
        ({"decorative": True, "alt_text": ""}, ("", True)),
        ({"decorative": False}, ("", False)),
        ({"alt_text": None}, (None, False)),
    ]
    for fields, expected in steps:
        record = edited(edits, patch("a.jpg", **fields))
        assert (record.alt_text, record.decorative) == expected
    assert record.provenance.edited_by_human == ("alt_text", "decorative")


class Disturbed:
    """A catalogue where something happens before, or after, so many saves."""

    def __init__(self, storage: Storage, times: int, act: Callable[[], object]) -> None:
        self.get, self.get_by_id = storage.catalog.get, storage.catalog.get_by_id
        self.remove = storage.catalog.remove
        self._save, self.times, self._act = storage.catalog.save, times, act
        self.is_deaf = False

    def save(self, record: CaptionRecord, previous: StoredRecord | None) -> StoredRecord:
        if self.is_deaf:
            self._save(record, previous)
            raise RecordChanged("The answer was lost; the client met its own version.")
        self.times -= 1
        if self.times >= 0:
            self._act()
        return self._save(record, previous)


def run_saves(storage: Storage) -> None:
    """A run changes the record under an edit."""
    stored = saved(storage)
    storage.catalog.save(replace(stored.record, seconds=(stored.record.seconds or 0) + 1), stored)


def test_an_edit_of_any_version_is_made_on_the_one_that_is_there(storage: Storage) -> None:
    storage.catalog.save(short("a.jpg"), None)
    disturbed = Disturbed(storage, ATTEMPTS - 1, lambda: run_saves(storage))
    record = edited(EditApi(disturbed, Clock()), patch("a.jpg", "*", caption="Mila."))
    assert record == saved(storage).record
    assert (record.caption, record.seconds) == ("Mila.", ATTEMPTS - 1)


def test_it_is_not_tried_for_ever(storage: Storage) -> None:
    storage.catalog.save(short("a.jpg"), None)
    disturbed = Disturbed(storage, 1_000, lambda: run_saves(storage))
    with pytest.raises(ServiceDeferred):
        EditApi(disturbed, Clock()).patch_caption(patch("a.jpg", "*", caption="Mila."))


def test_an_edit_of_one_version_is_made_on_no_other(storage: Storage) -> None:
    etag = storage.catalog.save(short("a.jpg"), None).etag
    disturbed = Disturbed(storage, 1, lambda: run_saves(storage))
    response = EditApi(disturbed, Clock()).patch_caption(patch("a.jpg", etag, caption="Mila."))
    assert code(response) == (412, "changed")
    assert saved(storage).record.provenance.edited_by_human == ()


def test_an_edit_whose_answer_was_lost_is_one(storage: Storage) -> None:
    etag = storage.catalog.save(short("a.jpg"), None).etag
    disturbed = Disturbed(storage, 0, lambda: None)
    disturbed.is_deaf = True
    response = EditApi(disturbed, Clock()).patch_caption(patch("a.jpg", etag, caption="Mila."))
    assert response.status == 200
    assert response.headers["ETag"] == saved(storage).etag.removeprefix("W/")


def test_a_record_that_is_removed_meanwhile_is_not_made_again(storage: Storage) -> None:
    storage.catalog.save(short("a.jpg"), None)
    disturbed = Disturbed(storage, 1, lambda: storage.catalog.remove(saved(storage)))
    response = EditApi(disturbed, Clock()).patch_caption(patch("a.jpg", "*", caption="Mila."))
    assert code(response) == (404, "not_found")
    assert storage.catalog.get("a.jpg") is None


MADE = Provenance(model="gpt-4o-mini-2024-07-18", fingerprint="before")
RENEWED = kept(
    short("a.jpg", caption="A new one.", provenance=replace(MADE, fingerprint="now")),
    short("a.jpg", provenance=MADE),
)


def revert(match: str | None = "*", query: str = "") -> Request:
    headers = {} if match is None else {"if-match": match}
    return Request(f"https://app.example/api/revert/a.jpg{query}", "a.jpg", headers)


def test_a_revert_is_saved_and_answered_and_can_be_reverted(
    storage: Storage, edits: EditApi
) -> None:
    etag = strong(storage.catalog.save(RENEWED, None).etag)
    response = edits.post_revert(revert(etag))
    assert (response.status, response.headers["ETag"]) == (200, strong(saved(storage).etag))
    assert CaptionRecord.from_json(json.loads(response.body)) == saved(storage).record
    assert saved(storage).record.caption == "Caption of a.jpg."
    assert code(edits.post_revert(revert(etag))) == (412, "changed")
    assert edits.post_revert(revert(response.headers["ETag"])).status == 200
    assert saved(storage).record.caption == "A new one."


@pytest.mark.parametrize(
    ("record", "match", "refusal"),
    [
        (None, "*", (404, "not_found")),
        (RENEWED, None, (428, "precondition_required")),
        (RENEWED, '"x"', (412, "changed")),
        (short("a.jpg"), "*", (409, "no_previous")),
        (replace(RENEWED, status="processing"), "*", (409, "in_progress")),
        (replace(RENEWED, status="deferred"), "*", (409, "in_progress")),
    ],
)
def test_what_cannot_be_reverted_stays_as_it_is(
    storage: Storage,
    edits: EditApi,
    record: CaptionRecord | None,
    match: str | None,
    refusal: tuple[int, str],
) -> None:
    before = storage.catalog.save(record, None) if record else None
    assert code(edits.post_revert(revert(match))) == refusal
    assert storage.catalog.get("a.jpg") == before


def test_a_revert_takes_no_parameters(edits: EditApi) -> None:
    with pytest.raises(BadRequest, match="to"):
        edits.post_revert(revert(query="?to=yesterday"))


def test_a_revert_whose_answer_was_lost_is_done_once(storage: Storage) -> None:
    """Else it would be taken back at once."""
    storage.catalog.save(RENEWED, None)
    disturbed = Disturbed(storage, 0, lambda: None)
    disturbed.is_deaf = True
    response = EditApi(disturbed, Clock()).post_revert(revert())
    assert response.status == 200
    assert saved(storage).record.caption == "Caption of a.jpg."
