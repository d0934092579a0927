"""Documents as entities: within the service's limits, and back again as they were."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captioning.storage.entities import (
    ENTITY_BYTES,
    PROPERTY_UNITS,
    decoded,
    encoded,
    parts,
    size,
    to_document,
    to_properties,
)

PLAIN = frozenset({"path", "count", "is_old"})
WORDS = st.text(st.characters(codec="utf-8"), max_size=20)
JSON = st.recursive(
    st.booleans() | st.integers(-(2**31), 2**31 - 1) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def test_plain_fields_stay_readable_and_the_rest_is_json() -> None:
    document = {"path": "é.jpg", "count": 3, "is_old": False, "tags": ["Hündin"], "note": None}
    properties = {"path": "é.jpg", "count": 3, "is_old": False, "tags": '["Hündin"]'}
    assert to_properties(document, PLAIN) == properties


@given(path=WORDS, values=st.lists(JSON, min_size=3, max_size=3))
def test_a_document_survives(path: str, values: list[Any]) -> None:
    document = {"path": path, **dict(zip(("a", "b_c", "sha256"), values, strict=True))}
    keys = {"PartitionKey": "ab", "RowKey": "cd"}
    assert to_document({**keys, **to_properties(document, PLAIN)}, document, PLAIN) == document


@pytest.mark.parametrize("name", ["path", "text"])
def test_a_long_text_goes_on_in_numbered_properties(name: str) -> None:
    document = {name: "a" * 3 * PROPERTY_UNITS}
    properties = to_properties(document, PLAIN)
    names = {name, f"{name}_2", f"{name}_3"} | ({f"{name}_4"} if name == "text" else set())
    assert set(properties) == names  # JSON has two quotation marks more
    assert to_document(properties, document, PLAIN) == document


def test_the_order_of_properties_does_not_matter() -> None:
    """The service is free to answer in another one."""
    document = {"text": "".join(chr(97 + n % 26) for n in range(12 * PROPERTY_UNITS))}
    properties = to_properties(document, PLAIN)
    assert len(properties) == 13
    assert to_document(dict(sorted(properties.items(), reverse=True)), document, PLAIN) == document


def test_an_empty_text_is_kept() -> None:
    assert to_document(to_properties({"path": "", "note": ""}, PLAIN), {"path", "note"}, PLAIN) == {
        "path": "",
        "note": "",
    }


@given(
    start=st.integers(-3, 3),
    text=st.text(st.characters(codec="utf-8"), max_size=8),
    repeated=st.sampled_from(["a", "é", "海", "🏖"]),
)
def test_parts_fit_and_join_to_the_whole(start: int, text: str, repeated: str) -> None:
    whole = "a" * (PROPERTY_UNITS + start) + text + repeated * PROPERTY_UNITS
    pieces = list(parts(whole))
    assert "".join(pieces) == whole
    assert all(units(piece) <= PROPERTY_UNITS for piece in pieces)


def test_lone_surrogates_are_replaced() -> None:
    """UTF-8 has no form for them: the service would refuse the whole entity."""
    assert to_properties({"path": "a\ud83d"}, PLAIN) == {"path": "a\ufffd"}
    assert to_document(to_properties({"text": ["a\udc00"]}, PLAIN), {"text"}, PLAIN) == {
        "text": ["a\ufffd"]
    }


@pytest.mark.parametrize(
    ("entity", "expected"),
    [({"ab": "xyz"}, 4 + 6), ({"ab": "🏖"}, 4 + 4), ({"n": 1, "x": True}, 2 + 8 + 2 + 8)],
    ids=["letters", "a pair of surrogates", "numbers"],
)
def test_size_counts_utf_16(entity: dict[str, Any], expected: int) -> None:
    assert size(entity) == expected


def test_the_limit_leaves_room_for_what_the_service_adds() -> None:
    """The service counts 1 MiB with types and the system's properties: 255 names at the most."""
    assert ENTITY_BYTES + 255 * 8 + 2 * 1024 < 1_048_576


@given(
    st.dictionaries(
        st.from_regex("[A-Za-z]{1,9}", fullmatch=True).filter(lambda name: name != "Timestamp"),
        st.text(st.characters(codec="utf-8"))
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False),
    )
)
@settings(max_examples=50)
def test_an_entity_survives_its_encoding(properties: dict[str, Any]) -> None:
    found = decoded(json.loads(encoded(properties)))
    assert found == properties
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in properties.items()
    }


@pytest.mark.parametrize(
    "value",
    [2**63, float("nan"), float("inf"), b"x", None, ["x"]],
    ids=["65 bits", "no number", "infinite", "bytes", "nothing", "a list"],
)
def test_what_no_property_can_have_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        encoded({"property": value})


def test_half_a_character_is_replaced() -> None:
    assert json.loads(encoded({"text": "a\ud83d"})) == {"text": "a?"}


def test_what_is_not_ascii_is_escaped_where_that_is_wanted() -> None:
    entity = {"text": "é🏖\u2028 a\ud83d"}
    assert encoded(entity, in_ascii=True) == rb'{"text":"\u00e9\ud83c\udfd6\u2028 a?"}'
    assert encoded(entity) == '{"text":"é🏖\\u2028 a?"}'.encode()


def test_what_the_service_adds_is_left_out() -> None:
    told = {
        "odata.etag": "e",
        "PartitionKey": "p",
        "Timestamp@odata.type": "Edm.DateTime",
        "Timestamp": "2026-11-22T10:00:00Z",
        "number@odata.type": "Edm.Int64",
        "number": "-9007199254740993",
        "share@odata.type": "Edm.Double",
        "share": 1,
        "selected": None,
    }
    assert decoded(told) == {"PartitionKey": "p", "number": -9007199254740993, "share": 1.0}
