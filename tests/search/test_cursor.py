"""The cursor: only what the API gave out is taken back, and only for the search it is of."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captioning.api.captions import CaptionApi
from captioning.api.messages import Request
from captioning.errors import BadRequest
from captioning.search.cursor import decode, encode
from captioning.search.places import after, newest, place_of
from captioning.search.query import Query, parse
from testing.factories.records import START, short
from testing.harness.storage import Storage

DOGS = parse("dog", ["beach"], ("en",))
PLACE = place_of(short("a.jpg"))
CURSOR = encode(PLACE, DOGS)
OTHERS = {
    "all": Query(),
    "another word": parse("dogs", ["beach"], ("en",)),
    "a word more": parse("dog cat", ["beach"], ("en",)),
    "another tag": parse("dog", ["sea"], ("en",)),
    "a status": replace(DOGS, status="captioned"),
    "a review": replace(DOGS, review="needed"),
    "a beginning": replace(DOGS, since=START),
    "an end": replace(DOGS, until=START),
    "made otherwise": replace(DOGS, not_made="ab" * 32),
}
FOREIGN = {
    "empty": "",
    "no base64": "?!",
    "no ascii": "é",
    "short": CURSOR[:-4],
    "long": CURSOR + "AAAA",
    "padded": CURSOR + "=",
    "a line": CURSOR + "\n",
    "the other alphabet": encode(after(PLACE), DOGS).replace("-", "+").replace("_", "/") + " ",
    "wide": "A" * 6000,
    "nothing": base64.urlsafe_b64encode(bytes(47)).decode(),
}


@pytest.mark.parametrize("position", [PLACE, after(PLACE)])
def test_a_cursor_comes_back_as_the_position_it_was_made_of(position: str) -> None:
    assert decode(encode(position, DOGS), DOGS) == position


def test_a_time_comes_back_as_the_first_place_in_it() -> None:
    position = newest(START)
    assert decode(encode(position, DOGS), DOGS) == f"{position}-{'0' * 64}"


@pytest.mark.parametrize("cursor", FOREIGN.values(), ids=FOREIGN.keys())
def test_a_foreign_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(BadRequest, match="Start without it"):
        decode(cursor, DOGS)


@pytest.mark.parametrize("query", OTHERS.values(), ids=OTHERS.keys())
def test_a_cursor_of_another_search_is_refused(query: Query) -> None:
    with pytest.raises(BadRequest) as caught:
        decode(CURSOR, query)
    assert caught.value.reason == "bad_cursor"


def test_the_list_refuses_them_too(storage: Storage) -> None:
    api = CaptionApi(storage.catalog)
    for cursor in ("x", CURSOR):
        with pytest.raises(BadRequest) as caught:
            api.list_captions(Request(f"https://app.example/api/captions?cursor={cursor}"))
        assert caught.value.reason == "bad_cursor"


@given(st.integers(0, len(CURSOR) - 1), st.characters(codec="utf-8"))
def test_an_altered_cursor_is_refused(position: int, character: str) -> None:
    altered = CURSOR[:position] + character + CURSOR[position + 1 :]
    if altered != CURSOR:
        with pytest.raises(BadRequest):
            decode(altered, DOGS)


@given(st.binary(min_size=39, max_size=39))
def test_whoever_works_out_the_checksum_reaches_a_place_and_no_more(raw: bytes) -> None:
    """There is nothing at it that the search does not ask for."""
    from captioning.search.cursor import _text

    try:
        position = decode(_text(raw, DOGS), DOGS)
    except BadRequest:
        return
    assert position[14] == "-"
    assert len(position) in {79, 80}
