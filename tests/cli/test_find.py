"""Finding from a terminal."""

from __future__ import annotations

import json

import pytest

from captioning.domain.record import Tag
from testing.factories.records import minutes, short
from testing.harness.command_line import CommandLine
from testing.harness.storage import Storage

TAGS = (Tag("Golden Retriever", 0.9),)


@pytest.fixture(autouse=True)
def _three(storage: Storage) -> None:
    for record in (
        short("old.png", minutes(-60 * 24 * 40), caption="A dog on a beach."),
        short("new.png", minutes(1), caption="Two dogs.", tags=TAGS),
        short("cat.png", minutes(2), caption="A cat.", status="failed"),
    ):
        storage.catalog.save(record, None)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["dog"], "new.png old.png"),
        (["do"], ""),
        (["dog", "beach"], "old.png"),
        (["on a beach"], "old.png"),
        (["a on beach"], ""),
        (["--", "dog", "-beach"], "new.png"),
        (["--tag", "golden retriever"], "new.png"),
        (["--status", "failed"], "cat.png"),
        (["--since", "2026-11-01"], "cat.png new.png"),
        (["--limit", "1"], "cat.png"),
        ([], "cat.png new.png old.png"),
    ],
)
def test_what_is_asked_for_is_printed_newest_first(
    command: CommandLine, arguments: list[str], expected: str
) -> None:
    result = command("find", "--json", *arguments)
    found = [json.loads(line)["path"] for line in result.stdout.splitlines()]
    assert (result.exit_code, result.stderr) == (0, "")
    assert found == expected.split()


def test_a_person_gets_a_table(command: CommandLine) -> None:
    lines = command("find", "dog").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["path", "new.png", "old.png"]
    assert "Two dogs." in lines[1]
    assert "Golden Retriever" in lines[1]


def test_nothing_is_said_to_be_found(command: CommandLine) -> None:
    result = command("find", "unicorn")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Nothing found.\n")


@pytest.mark.parametrize("arguments", [["cat"] * 17, ["x" * 501], ["--tag", " "]])
def test_a_search_that_cannot_be_made_is_refused(
    command: CommandLine, arguments: list[str]
) -> None:
    result = command("find", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
