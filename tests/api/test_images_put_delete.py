"""Uploads and deletions by HTTP, on real storage: what is stored, and what is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from azure.storage.blob import BlobClient

from captioning.api.error_responses import respond
from captioning.api.images import ImageChanges
from captioning.api.messages import Request, Response
from captioning.domain.record import record_id
from captioning.errors import BadRequest, StorageUnavailable
from captioning.images.picture import check_header
from testing.factories import pictures
from testing.fakes.faults import FaultInjector
from testing.harness.maintenance import InterceptedOnce, MaintenanceLab
from testing.harness.storage import Storage, blobs_in

URL = "https://app.example/api/images"
JPEG, PNG = pictures.oriented(6), pictures.encoded(pictures.quadrants(), "PNG")
LIMIT = 1_000_000


@pytest.fixture
def lab(storage: Storage) -> MaintenanceLab:
    assert storage.images.is_there()
    assert storage.thumbnails
    return MaintenanceLab(storage)


def changes(lab: MaintenanceLab, **parts: Any) -> ImageChanges:
    """The routes over this storage, or over parts that do something in between."""
    images = parts.get("images", lab.storage.images)
    given: dict[str, Any] = {
        "images": lab.storage.images,
        "records": lab.storage.catalog,
        "check": partial(check_header, min_side=50),
        "erase": lab.storage.erasure(lab.now, images=images).erase,
        "forget_record": lab.cleanup().forget_record,
        "max_image_bytes": LIMIT,
    }
    return ImageChanges(**(given | parts))


def upload(path: str, body: bytes = JPEG, query: str = "", **headers: str) -> Request:
    """A request as the host hands it over; header names with underscores. It is for a new image
    unless it has a condition of its own."""
    if not {"if_match", "if_none_match"} & set(headers):
        headers["if_none_match"] = "*"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(f"{URL}/x{query}", path, {"content-length": str(len(body)), **named}, body)


def removal(path: str, **headers: str) -> Request:
    return Request(
        f"{URL}/x", path, {name.replace("_", "-"): value for name, value in headers.items()}
    )


def code(response: Response) -> tuple[int, str]:
    """Status and code of a problem."""
    assert response.headers["Content-Type"] == "application/problem+json"
    return response.status, json.loads(response.body)["code"]


def refused(handle: Callable[[Request], Response], request: Request) -> str:
    with pytest.raises(BadRequest) as caught:
        handle(request)
    return caught.value.reason


def paths(lab: MaintenanceLab) -> list[str]:
    return [blob.path for blob in blobs_in(lab.storage.images)]


class TestPut:
    def test_a_name_that_gets_no_caption_is_refused(self, lab: MaintenanceLab) -> None:
        response = changes(lab, ignore=("*.txt",)).put(upload("a/B.TXT"))
        assert code(response) == (415, "unsupported_format")
        assert code(changes(lab).put(upload("a/._b.jpg"))) == (415, "unsupported_format")
        assert paths(lab) == []

    def test_an_image_is_stored_as_it_came(self, lab: MaintenanceLab) -> None:
        response = changes(lab).put(upload("2026%2Fbeach day.txt", content_type="text/html"))
        blob = lab.storage.images.describe("2026/beach day.txt")
        assert response.status == 201
        assert response.headers["Location"] == "/api/images/2026/beach%20day.txt"
        assert json.loads(response.body) == {
            "path": "2026/beach day.txt",
            "id": record_id("2026/beach day.txt"),
            "bytes": len(JPEG),
            "etag": blob.etag,
            "format": "JPEG",
            "width": 400,
            "height": 300,
        }
        assert response.headers["ETag"] == blob.etag
        assert lab.storage.images.read(blob) == JPEG
        assert blob.sha256 == hashlib.sha256(JPEG).hexdigest()
        with BlobClient.from_connection_string(
            lab.storage.connection, lab.storage.name, blob.path
        ) as client:
            assert client.get_blob_properties().content_settings.content_type == "image/jpeg"

    def test_another_upload_takes_its_place(self, lab: MaintenanceLab) -> None:
        first = changes(lab).put(upload("a.jpg"))
        second = changes(lab).put(upload("a.jpg", PNG, if_match=first.headers["ETag"]))
        assert (first.status, second.status) == (201, 200)
        assert second.headers["Location"] == "/api/images/a.jpg"
        assert json.loads(second.body)["etag"] != json.loads(first.body)["etag"]
        assert lab.storage.images.read(lab.storage.images.describe("a.jpg")) == PNG

    def test_an_upload_is_one_write(self, lab: MaintenanceLab) -> None:
        images, sent = lab.storage.recorded_images()
        changes(lab, images=images).put(upload("a.jpg"))
        assert sent == ["PUT"]
        changes(lab, images=images).put(upload("a.jpg", if_match="*"))
        assert sent == ["PUT", "PUT"]

    def test_without_a_condition_nothing_is_stored(self, lab: MaintenanceLab) -> None:
        for headers in ({}, {"if-match": " "}):
            request = Request(f"{URL}/x", "a.jpg", {"content-length": "1", **headers}, b"x")
            assert code(changes(lab).put(request)) == (428, "precondition_required")
        assert paths(lab) == []

    def test_only_the_version_that_is_meant_is_replaced(self, lab: MaintenanceLab) -> None:
        before, now = lab.upload("a.jpg").etag, lab.upload("a.jpg", b"new").etag
        for given in (before, f"W/{now}", "x", f"{before}, x"):
            response = changes(lab).put(upload("a.jpg", if_match=given))
            assert code(response) == (412, "changed")
            assert response.headers["ETag"] == now
        assert lab.storage.images.describe("a.jpg").etag == now
        response = changes(lab).put(upload("a.jpg", if_match=f"{before}, {now}"))
        assert response.status == 200
        assert lab.storage.images.read(lab.storage.images.describe("a.jpg")) == JPEG

    def test_an_image_that_is_gone_is_not_replaced(self, lab: MaintenanceLab) -> None:
        etag = lab.upload("a.jpg").etag
        lab.storage.delete("a.jpg")
        for given in ("*", etag):
            response = changes(lab).put(upload("a.jpg", if_match=given))
            assert code(response) == (412, "changed")
            assert "ETag" not in response.headers
        assert paths(lab) == []

    @pytest.mark.parametrize("given", ["*", "etag"])
    def test_storage_judges_what_is_replaced_as_it_writes(
        self, lab: MaintenanceLab, given: str
    ) -> None:
        """It is as the client saw it when the request comes, and is not when it is written."""
        etag = lab.upload("a.jpg").etag

        def overtake() -> None:
            lab.storage.delete("a.jpg") if given == "*" else lab.storage.upload("a.jpg", b"other")

        between = InterceptedOnce(lab.storage.images, "write", overtake)
        request = upload("a.jpg", if_match="*" if given == "*" else etag)
        assert code(changes(lab, images=between).put(request)) == (412, "changed")
        assert [lab.storage.images.describe(path).bytes for path in paths(lab)] in ([], [5])

    def test_an_upload_that_meets_itself_has_replaced_the_image(self, lab: MaintenanceLab) -> None:
        """As where storage has stored it, and the answer to that was lost."""
        etag = lab.upload("a.jpg").etag
        between = InterceptedOnce(
            lab.storage.images, "write", lambda: lab.storage.upload("a.jpg", JPEG)
        )
        response = changes(lab, images=between).put(upload("a.jpg", if_match=etag))
        assert response.status == 200
        assert response.headers["ETag"] == lab.storage.images.describe("a.jpg").etag != etag

    def test_one_that_must_be_new_is_judged_by_the_storage(self, lab: MaintenanceLab) -> None:
        """It is not there when the request comes, and there when it is written."""
        between = InterceptedOnce(
            lab.storage.images, "write", lambda: lab.storage.upload("a.jpg", b"other")
        )
        response = changes(lab, images=between).put(upload("a.jpg", if_none_match="*"))
        assert code(response) == (412, "exists")
        assert response.headers["ETag"] == lab.storage.images.describe("a.jpg").etag
        assert lab.storage.images.read(lab.storage.images.describe("a.jpg")) == b"other"
        assert changes(lab).put(upload("b.jpg", if_none_match="*")).status == 201

    def test_other_conditions_are_not_passed_over(self, lab: MaintenanceLab) -> None:
        both = upload("a.jpg", if_none_match="*", if_match="*")
        for request in (
            upload("a.jpg", if_none_match='"1"'),
            upload("a.jpg", if_none_match=""),
            both,
        ):
            assert refused(changes(lab).put, request) == "bad_condition"
        assert paths(lab) == []

    def test_a_record_names_the_image_that_is_replaced(self, lab: MaintenanceLab) -> None:
        """Whatever its path is."""
        path = "a/../b.jpg"
        lab.record(lab.upload(path))
        response = changes(lab).put(upload(f"sha256:{record_id(path)}", if_match="*"))
        assert (response.status, json.loads(response.body)["path"]) == (200, path)
        assert response.headers["Location"] == f"/api/images/sha256:{record_id(path)}"
        assert lab.storage.images.read(lab.storage.images.describe(path)) == JPEG
        unknown = upload(f"sha256:{record_id('nothing.jpg')}")
        assert code(changes(lab).put(unknown)) == (404, "not_found")

    def test_without_a_length_nothing_is_stored(self, lab: MaintenanceLab) -> None:
        for body in (b"", JPEG):
            headers = {"transfer-encoding": "chunked", "if-none-match": "*"}
            request = Request(f"{URL}/x", "a.jpg", headers, body)
            assert code(changes(lab).put(request)) == (411, "length_required")
        assert paths(lab) == []

    def test_too_much_is_refused_by_the_header_and_by_the_body(self, lab: MaintenanceLab) -> None:
        over = upload("a.jpg", b"x" * (LIMIT + 1))
        told = upload("a.jpg", content_length=str(LIMIT + 1))
        absurd = upload("a.jpg", content_length="9" * 5_000)
        untold = upload("a.jpg", b"x" * (LIMIT + 1), content_length="5")
        for request in (over, told, absurd, untold):
            assert code(changes(lab).put(request)) == (413, "too_large")
        assert paths(lab) == []

    @pytest.mark.parametrize("length", ["5", "-1", "", "1e3", "٣", "4, 4", " 5"])
    def test_another_length_than_the_bodys_is_refused(
        self, lab: MaintenanceLab, length: str
    ) -> None:
        assert refused(changes(lab).put, upload("a.jpg", content_length=length)) == "bad_length"
        assert paths(lab) == []

    def test_an_empty_body_is_refused(self, lab: MaintenanceLab) -> None:
        assert refused(changes(lab).put, upload("a.jpg", b"")) == "empty_body"

    @pytest.mark.parametrize(
        ("name", "body"),
        [
            ("unsupported_format", b"<!DOCTYPE html><script>alert(1)</script>"),
            ("unsupported_format", pictures.STRANGE["drawing.svg"][0]),
            ("unsupported_format", pictures.STRANGE["paper.pdf"][0]),
            ("unsupported_format", pictures.STRANGE["text.jpg"][0]),
            ("unsupported_format", b"\x7fELF" + bytes(99)),
            ("corrupt", b"GIF89a"),
            ("corrupt", pictures.png_header(400, 300)[:24]),
            ("too_large", pictures.png_header(30_000, 30_000)),
            ("too_large", pictures.png_header(2**31 - 1, 2**31 - 1)),
            ("too_small", pictures.encoded(pictures.quadrants(49, 200), "PNG")),
        ],
    )
    def test_what_is_no_image_to_caption_is_stored_nowhere(
        self, lab: MaintenanceLab, name: str, body: bytes
    ) -> None:
        response = changes(lab).put(upload("a.jpg", body, content_type="image/jpeg"))
        assert code(response) == (415, name)
        assert paths(lab) == []

    @pytest.mark.parametrize("name", [n for n, (_, c) in pictures.STRANGE.items() if not c])
    def test_what_can_be_captioned_is_taken(self, lab: MaintenanceLab, name: str) -> None:
        response = changes(lab).put(upload(name, pictures.STRANGE[name][0]))
        document = json.loads(response.body)
        assert response.status == 201
        assert (document["width"], document["height"]) == (400, 300)

    def test_a_body_that_is_cut_off_behind_its_header_is_left_to_the_pipeline(
        self, lab: MaintenanceLab
    ) -> None:
        assert changes(lab).put(upload("a.jpg", pictures.STRANGE["half.jpg"][0])).status == 201

    @pytest.mark.parametrize(
        "path",
        [
            *("a%2F..%2Fb", "..%2f..%2fhost.json", "..", "%2F..%2Fimages/a", "..\\..\\host.json"),
            *("a\0b", "\x1b", "\ud83c", "n" * 1_025, "back\\slash", "dot.", "folder/"),
        ],
    )
    def test_a_name_that_would_lead_elsewhere_is_refused(
        self, lab: MaintenanceLab, path: str
    ) -> None:
        assert refused(changes(lab).put, upload(path)) == "bad_name"
        assert refused(changes(lab).delete, removal(path)) == "bad_name"
        assert paths(lab) == []

    def test_parameters_are_refused(self, lab: MaintenanceLab) -> None:
        assert refused(changes(lab).put, upload("a.jpg", query="?width=1")) == "unknown_parameter"


class TestDelete:
    def test_an_image_goes_with_all_that_is_kept_of_it(self, lab: MaintenanceLab) -> None:
        for path in ("a.jpg", "b.jpg"):
            blob = lab.upload(path)
            lab.record(blob)
            lab.storage.thumbnails.put(blob, 160, b"small")
        response = changes(lab).delete(removal("a.jpg"))
        assert (response.status, response.body) == (204, b"")
        assert paths(lab) == lab.listed() == ["b.jpg"]
        assert lab.stored("a.jpg") is None
        assert [name[:64] for name in lab.storage.kept_thumbnails()] == [record_id("b.jpg")]
        assert code(changes(lab).delete(removal("a.jpg"))) == (404, "not_found")

    def test_an_image_without_a_record_goes_too(self, lab: MaintenanceLab) -> None:
        lab.upload("a.jpg")
        assert changes(lab).delete(removal("a.jpg")).status == 204
        assert paths(lab) == []

    def test_an_image_with_snapshots_goes_too(self, lab: MaintenanceLab) -> None:
        lab.upload("a.jpg")
        with BlobClient.from_connection_string(
            lab.storage.connection, lab.storage.name, "a.jpg"
        ) as client:
            client.create_snapshot()
        assert changes(lab).delete(removal("a.jpg")).status == 204

    def test_one_that_another_tool_has_locked_stays(self, lab: MaintenanceLab) -> None:
        lab.record(lab.upload("a.jpg"))
        with BlobClient.from_connection_string(
            lab.storage.connection, lab.storage.name, "a.jpg"
        ) as client:
            lease = client.acquire_lease()
            for attempt in (changes(lab).delete, changes(lab).put):
                response = respond(attempt, upload("a.jpg", if_match="*"))
                assert code(response) == (409, "in_use")
                assert "end the lease" in json.loads(response.body)["detail"]
            lease.release()
        assert lab.stored("a.jpg")

    def test_a_record_names_it(self, lab: MaintenanceLab) -> None:
        path = "a/../b.jpg"
        lab.record(lab.upload(path))
        item = f"sha256:{record_id(path)}"
        assert changes(lab).delete(removal(item)).status == 204
        assert code(changes(lab).delete(removal(item))) == (404, "not_found")

    def test_only_the_version_that_is_meant_goes(self, lab: MaintenanceLab) -> None:
        before, now = lab.upload("a.jpg").etag, lab.upload("a.jpg", b"new").etag
        for given in (before, f"W/{now}", "", "x"):
            response = changes(lab).delete(removal("a.jpg", if_match=given))
            assert code(response) == (412, "changed")
        assert paths(lab) == ["a.jpg"]
        assert changes(lab).delete(removal("a.jpg", if_match=f"{before}, {now}")).status == 204
        for given in ("*", now):
            response = changes(lab).delete(removal("a.jpg", if_match=given))
            assert code(response) == (404, "not_found")

    def test_what_is_uploaded_meanwhile_stays(self, lab: MaintenanceLab) -> None:
        etag = lab.upload("a.jpg").etag
        between = InterceptedOnce(
            lab.storage.images, "delete", lambda: lab.storage.upload("a.jpg", b"2")
        )
        response = changes(lab, images=between).delete(removal("a.jpg", if_match=etag))
        assert code(response) == (412, "changed")
        assert lab.storage.images.read(lab.storage.images.describe("a.jpg")) == b"2"

    def test_one_that_broke_off_half_way_is_finished_by_the_next(self, lab: MaintenanceLab) -> None:
        lab.record(lab.upload("a.jpg"))

        faults = FaultInjector()
        faults.fail()
        dying = lab.storage.erasure(lab.now, outbox=faults.wrap(lab.storage.catalog))
        with pytest.raises(StorageUnavailable):
            changes(lab, erase=dying.erase).delete(removal("a.jpg"))
        assert lab.stored("a.jpg")
        assert code(changes(lab).delete(removal("a.jpg"))) == (404, "not_found")
        assert lab.stored("a.jpg") is None
