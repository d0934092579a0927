"""ETags as they go out and come back."""

from __future__ import annotations

import pytest

from captioning.api.messages import matches, strong

TABLES = "W/\"datetime'2026-11-22T10%3A00%3A00.1234567Z'\""
SENT = "\"datetime'2026-11-22T10%3A00%3A00.1234567Z'\""


def test_a_tables_etag_goes_out_as_a_strong_one() -> None:
    assert strong(TABLES) == strong(SENT) == SENT


@pytest.mark.parametrize("header", ["{}", ' {}\t, W/"y"', '"x",{}', '"x" , {} , "y"', "*", " * "])
@pytest.mark.parametrize("given", [TABLES, SENT])
def test_either_form_names_the_version(header: str, given: str) -> None:
    assert matches(header.format(given), TABLES)
    assert matches(header.format(given), SENT)


@pytest.mark.parametrize(
    "header",
    ["", ",", '"x"', 'W/"x"', '"*"', '*, "x"', SENT.strip('"'), f"W/{TABLES}", SENT.upper()],
)
def test_anything_else_does_not(header: str) -> None:
    assert not matches(header, TABLES)
