"""The API over a real catalogue: what a client sends and what comes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from captioning.api.captions import CaptionApi
from captioning.api.messages import Request, Response
from captioning.domain.record import record_id
from captioning.errors import BadRequest
from testing.factories.records import FULL, minutes, short
from testing.harness.storage import Storage

KEYS = {
    "": "path id status review language caption alt_text decorative description translations tags "
    "objects text brands support image provenance usage error created updated seconds claim note "
    "previous history answered",
    "image": "format width height frames bytes sha256 color etag modified",
    "provenance": "vision model input fingerprint reused_from burst vocabulary afresh "
    "edited_by_human reverted",
    "usage": "input_tokens cached_tokens output_tokens vision_calls usd reasoning_tokens",
    "error": "code message attempts retry_at since fingerprint afresh",
    "claim": "worker until crashes",
    "support": "score unsupported",
}
"""Design section 6, and what was added since: `language`, `note`, `claim`, `history`, `previous`,
`answered`, `image.frames`, `image.color`, `usage.cached_tokens`, `usage.reasoning_tokens`; of
`provenance`: `burst`, `vocabulary`, `afresh`, `reverted`; of `error`: `since`, `fingerprint`,
`afresh`."""
URL = "https://app.example/api/captions"


@pytest.fixture
def api(storage: Storage) -> CaptionApi:
    return CaptionApi(storage.catalog)


def item(path: str, match: str = "", query: str = "") -> Request:
    """A request for one record, with its path as the host hands it over."""
    return Request(f"{URL}/x{query}", path, {"if-none-match": match} if match else {})


def body(response: Response) -> Any:
    return json.loads(response.body)


def refused(handle: Callable[[Request], Response], request: Request) -> tuple[str, str]:
    """Code and message of a request that is not understood."""
    with pytest.raises(BadRequest) as caught:
        handle(request)
    return caught.value.reason, caught.value.message


def test_a_record_comes_with_the_keys_of_the_design(storage: Storage, api: CaptionApi) -> None:
    etag = storage.catalog.save(FULL, None).etag
    response = api.get_caption(item(FULL.path))
    assert response.status == 200
    assert response.headers["ETag"] == etag.removeprefix("W/")
    assert response.headers["Content-Type"] == "application/json"
    document = body(response)
    for part, keys in KEYS.items():
        assert set(document[part] if part else document) == set(keys.split())
    assert document["objects"] == [{"name": "dog", "confidence": 0.9, "box": [1, 2, 3, 4]}]
    assert document["text"][0] == {"text": "SALE", "box": [5, 6, 7, 8]}
    assert document["image"]["modified"] == "2026-11-22T10:00:00Z"
    assert document == FULL.to_json()


def test_a_record_without_a_caption_has_the_same_keys(storage: Storage, api: CaptionApi) -> None:
    storage.catalog.save(short("a.jpg", caption=None), None)
    document = body(api.get_caption(item("a.jpg")))
    assert set(document) == set(KEYS[""].split())
    assert document["caption"] is None


@pytest.mark.parametrize("form", ["{}", 'W/"x", {}', '"x",{}', "*", ' {} , W/"y"'])
def test_what_the_client_has_is_not_sent_again(
    storage: Storage, api: CaptionApi, form: str
) -> None:
    etag = storage.catalog.save(FULL, None).etag
    for given in (etag, etag.removeprefix("W/")):
        response = api.get_caption(item(FULL.path, form.format(given)))
        assert (response.status, response.body) == (304, b"")
        assert response.headers["ETag"] == etag.removeprefix("W/")
        assert "Content-Type" not in response.headers


@pytest.mark.parametrize("match", ['"x"', 'W/"x"', "", "x", '"*"', ","])
def test_another_version_is_sent(storage: Storage, api: CaptionApi, match: str) -> None:
    storage.catalog.save(FULL, None)
    assert api.get_caption(item(FULL.path, match)).status == 200


def test_an_unknown_path_is_a_problem(api: CaptionApi) -> None:
    for path in ("nothing.jpg", f"sha256:{record_id('nothing.jpg')}", "sha256:12"):
        response = api.get_caption(item(path, match="*"))
        assert response.status == 404
        assert response.headers["Content-Type"] == "application/problem+json"
        assert body(response)["code"] == "not_found"
        assert body(response)["status"] == 404


@pytest.mark.parametrize("path", ["a/../b.jpg", "a%2Fb.jpg", "🏖/#?.jpg", "海" * 1024])
def test_any_record_is_found_by_its_id(storage: Storage, api: CaptionApi, path: str) -> None:
    storage.catalog.save(short(path), None)
    assert body(api.get_caption(item(f"sha256:{record_id(path)}")))["path"] == path


def test_an_encoded_slash_is_a_slash(storage: Storage, api: CaptionApi) -> None:
    storage.catalog.save(short("a/b/c.jpg"), None)
    for path in ("a/b/c.jpg", "a%2Fb/c.jpg", "a%2Fb%2fc.jpg"):
        assert body(api.get_caption(item(path)))["path"] == "a/b/c.jpg"


def test_the_list_goes_on_where_the_cursor_says(storage: Storage, api: CaptionApi) -> None:
    for number in range(5):
        storage.catalog.save(short(f"{number}.jpg", minutes(number)), None)
    paths, cursor = [], ""
    for _ in range(3):
        page = body(api.list_captions(Request(f"{URL}?limit=2{cursor}")))
        assert set(page) == {"items", "next"}
        paths += [document["path"] for document in page["items"]]
        cursor = f"&cursor={page['next']}"
    assert paths == ["4.jpg", "3.jpg", "2.jpg", "1.jpg", "0.jpg"]
    assert page["next"] is None


def test_the_list_holds_whole_records(storage: Storage, api: CaptionApi) -> None:
    storage.catalog.save(FULL, None)
    assert body(api.list_captions(Request(URL))) == {"items": [FULL.to_json()], "next": None}


@pytest.mark.parametrize("limit", ["1", "100"])
def test_limits_within_the_bounds_are_taken(api: CaptionApi, limit: str) -> None:
    assert api.list_captions(Request(f"{URL}?limit={limit}")).status == 200


@pytest.mark.parametrize(
    "limit", ["0", "101", "-1", "", "1.5", "ten", "٣", "9" * 5000, "%20" + "5"]
)
def test_other_limits_are_refused(api: CaptionApi, limit: str) -> None:
    code, message = refused(api.list_captions, Request(f"{URL}?limit={limit}"))
    assert code == "bad_limit"
    assert "1 to 100" in message


def test_a_parameter_that_nobody_knows_or_twice_is_named(api: CaptionApi) -> None:
    code, message = refused(api.list_captions, Request(f"{URL}?limit=1&pge=2&Limit=3"))
    assert (code, "Limit, pge" in message) == ("unknown_parameter", True)
    code, message = refused(api.list_captions, Request(f"{URL}?limit=1&limit=1"))
    assert (code, "limit" in message) == ("repeated_parameter", True)
    code, message = refused(api.get_caption, item("a.jpg", query="?width=9"))
    assert (code, "width" in message) == ("unknown_parameter", True)


def test_the_function_key_is_no_parameter(api: CaptionApi) -> None:
    assert api.list_captions(Request(f"{URL}?code=secret&limit=1&code=b")).status == 200
    assert "secret" not in refused(api.list_captions, Request(f"{URL}?code=secret&x=1"))[1]


def test_a_query_that_is_not_utf8_is_refused(api: CaptionApi) -> None:
    assert refused(api.list_captions, Request(f"{URL}?limit=%ff"))[0] == "bad_query"
