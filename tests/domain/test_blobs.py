"""Names that images may have, and how a URL carries them."""

from __future__ import annotations

import pytest

from captioning.api.messages import Request
from captioning.domain.blobs import name_problem, url_path
from captioning.domain.record import record_id
from captioning.embedded.host.routing import parse_target

GOOD = [
    "a.jpg",
    "2026/beach day.jpg",
    "#1?.jpg",
    "%41.jpg",
    "a+b&c=d.jpg",
    "a//b.jpg",
    "...a/..b.jpg",
    "🏖️/猫.jpg",
    "a\u200db\u202e.jpg",
    "n" * 1_024,
    "🏖" * 512,
]
BAD = {
    "..": "segment . or ..",
    "a/../../host.json": "segment . or ..",
    "./a.jpg": "segment . or ..",
    "a\0b": "control characters",
    "a\nb": "control characters",
    "a\x7fb": "control characters",
    "a\x85b": "control characters",
    "\ud83c.jpg": "broken encoding",
    "a\uffff.jpg": "broken encoding",
    "a\ue000.jpg": "private-use",
    "n" * 1_025: "longer than the 1,024",
    "🏖" * 512 + "x": "longer than the 1,024",
    "back\\slash.jpg": "backslash",
    "a.jpg.": "ends with a dot",
    "2026./a.jpg": "ends with a dot",
    "...": "ends with a dot",
    "2026/": "folder",
}
UNCARRIED = ["a/../b.jpg", "a/.", "/leading.jpg", "a%2Fb.jpg", "a%2fb.jpg", "猫" * 1_024]


@pytest.mark.parametrize("path", GOOD)
def test_good_names_are_good(path: str) -> None:
    assert name_problem(path) == ""


@pytest.mark.parametrize("path", BAD)
def test_other_names_are_told_what_is_wrong_with_them(path: str) -> None:
    assert BAD[path] in name_problem(path)


@pytest.mark.parametrize("path", GOOD)
def test_a_url_carries_the_path_through_the_host(path: str) -> None:
    target = f"/api/images/{url_path(path)}"
    assert target.isascii()
    given = parse_target(target).path.removeprefix("/api/images/")
    assert Request("", given).blob_path() == path


@pytest.mark.parametrize("path", [*UNCARRIED, f"sha256:{'0' * 64}", "\ud83c/.."])
def test_where_a_url_cannot_the_id_stands_for_it(path: str) -> None:
    assert url_path(path) == f"sha256:{record_id(path)}"
    assert Request("", url_path(path)).given_id() == record_id(path)
