"""Searching over HTTP: parameters, pages, completion, and what is hostile."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from captioning.api.captions import CaptionApi
from captioning.api.messages import Request
from captioning.domain.record import Tag
from captioning.errors import BadRequest
from captioning.records.tag_vocabulary import parse
from testing.factories.records import START, minutes, short
from testing.harness.storage import Storage

URL = "https://app.example/api/captions"
QUOTING = [
    "' or PartitionKey gt '",
    "dog' or '1' eq '1",
    "') or (PartitionKey ge '",
    "%27%20or%20RowKey%20ge%20%27",
    '"; drop table captions; --',
    "$filter=PartitionKey ne ''",
    "{{7*7}} ${7*7} <img src=x onerror=alert(1)>",
    "../../etc/passwd",
    "tag~dog word~dog note~a months",
    "dog\0cat",
    "\x1b[31mred",
    "\u202egod",
    "a" * 500,
    " ".join("abcdefghijklmnop"),
    '"' * 400,
    "-" * 400,
]


@pytest.fixture
def api(storage: Storage) -> CaptionApi:
    for number in range(5):
        tags = (Tag("Golden Retriever", 0.9), Tag("goldfish", 0.7)) if number % 2 else ()
        record = short(f"{number}.png", minutes(number), caption=f"Dog {number}.", tags=tags)
        storage.catalog.save(record, None)
    return CaptionApi(storage.catalog, ("en",))


def answer(api: CaptionApi, *parameters: tuple[str, str]) -> Any:
    return json.loads(api.list_captions(Request(f"{URL}?{urlencode(parameters)}")).body)


def paths(api: CaptionApi, *parameters: tuple[str, str]) -> list[str]:
    return [item["path"] for item in answer(api, *parameters)["items"]]


def refused(api: CaptionApi, query: str) -> str:
    with pytest.raises(BadRequest) as caught:
        api.list_captions(Request(f"{URL}?{query}"))
    return caught.value.reason


def test_every_parameter_narrows_the_search(api: CaptionApi) -> None:
    everything = [f"{number}.png" for number in (4, 3, 2, 1, 0)]
    assert paths(api, ("q", "dog")) == paths(api, ("q", "")) == everything
    assert paths(api, ("q", "3 ")) == ["3.png"]
    assert paths(api, ("tag", "golden retriever")) == ["3.png", "1.png"]
    assert paths(api, ("tag", "goldfish"), ("tag", "GOLDEN retriever"), ("q", "1 ")) == ["1.png"]
    assert paths(api, ("status", "failed")) == []
    assert paths(api, ("review", "none"), ("limit", "1")) == ["4.png"]
    assert paths(api, ("since", f"{minutes(3):%Y-%m-%dT%H:%M:%SZ}")) == everything[:2]
    assert paths(api, ("until", f"{minutes(1):%Y-%m-%dT%H:%M:%S}+00:00")) == ["0.png"]
    assert paths(api, ("since", f"{START:%Y-%m-%d}")) == everything
    assert paths(api, ("until", f"{START:%Y-%m-%d}")) == []


def test_pages_go_on_with_their_cursor(api: CaptionApi) -> None:
    first = answer(api, ("q", "dog"), ("limit", "3"))
    assert len(first["items"]) == 3
    second = answer(api, ("cursor", first["next"]), ("q", "dog"), ("limit", "100"))
    assert [item["path"] for item in second["items"]] == ["1.png", "0.png"]
    assert second["next"] is None
    with pytest.raises(BadRequest, match="cursor"):
        answer(api, ("cursor", first["next"]), ("q", "dogs"))


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("status=done", "bad_status"),
        ("status=", "bad_status"),
        ("review=maybe", "bad_review"),
        ("since=yesterday", "bad_since"),
        ("since=", "bad_since"),
        ("until=2026-13-01", "bad_until"),
        ("until=0001-01-01T00:00:00%2B23:59", "bad_until"),
        ("tag=", "bad_tag"),
        ("tag=dog&tag=+", "bad_tag"),
        ("q=a&q=b", "repeated_parameter"),
        ("Q=a", "unknown_parameter"),
        ("q=" + "a" * 501, "bad_q"),
        ("q=" + "+".join(["cat"] * 1000), "bad_q"),
        ("&".join(f"tag={number}" for number in range(1000)), "bad_q"),
        ("q=%ff", "bad_query"),
        ("q=%ed%a0%80", "bad_query"),
        ("tag=%ed%a0%80", "bad_query"),
        ("q=x&cursor=%00", "bad_cursor"),
    ],
)
def test_what_cannot_be_asked_is_refused(api: CaptionApi, query: str, code: str) -> None:
    assert refused(api, query) == code


@pytest.mark.parametrize("text", QUOTING)
def test_hostile_text_is_only_text(api: CaptionApi, storage: Storage, text: str) -> None:
    """It finds what holds it, and reads no other partition."""
    everything = {f"{number}.png" for number in range(5)}
    for q in (text, f'"{text}"'):
        with suppress(BadRequest):  # too many words
            assert set(paths(api, ("q", q))) <= everything
    assert paths(api, ("tag", text)) == []
    record = short("evil.png", caption=text, tags=(Tag(text, 0.9),))
    storage.catalog.save(record, None)
    assert storage.catalog.get("evil.png")
    if text.strip('"- '):
        assert paths(api, ("tag", text)) == ["evil.png"]


@pytest.mark.parametrize("moment", ["0001-01-01", "1969-12-31", "9999-12-31T23:59:59Z"])
def test_any_time_can_be_asked_for(api: CaptionApi, moment: str) -> None:
    before, since = paths(api, ("until", moment)), paths(api, ("since", moment))
    assert sorted([*before, *since]) == [f"{number}.png" for number in range(5)]


def tags(api: CaptionApi, query: str) -> list[str]:
    found = json.loads(api.list_tags(Request(f"https://app.example/api/tags?{query}")).body)
    assert set(found) == {"items"}
    listed: list[str] = found["items"]
    return listed


def test_tags_are_completed(api: CaptionApi) -> None:
    assert tags(api, "") == ["Golden Retriever", "goldfish"]
    assert tags(api, "prefix=GOLDF") == ["goldfish"]
    assert tags(api, "prefix=golden+re") == ["Golden Retriever"]


def test_tags_are_completed_from_the_vocabulary_too(api: CaptionApi, storage: Storage) -> None:
    listed = parse("Gold\nGolden retriever\nzebra: gnu").beginning
    named = CaptionApi(storage.catalog, ("en",), listed)
    assert tags(named, "prefix=gol") == ["Gold", "Golden retriever", "goldfish"]
    assert tags(named, "prefix=gol&limit=2") == ["Gold", "Golden retriever"]
    assert tags(named, "prefix=z") == ["zebra"]
    assert tags(named, "prefix=gn") == []
    assert tags(api, "limit=1") == ["Golden Retriever"]
    for text in QUOTING:
        assert tags(api, f"prefix={quote(text)}") == []
    with pytest.raises(BadRequest):
        tags(api, "limit=0")
    with pytest.raises(BadRequest):
        tags(api, "prefix=%ff")


def test_a_path_that_no_blob_has_is_not_found(api: CaptionApi) -> None:
    for path in ("a\0b", "\ud800", "' or '1'='1", "x" * 10_000):
        assert api.get_caption(Request(URL, path)).status == 404
