"""Exports: every record, one by one, in files that other programs read as they were meant."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captioning.domain.record import CaptionRecord, Tag, TextLine
from captioning.export.tabular import COLUMNS, WRITERS, unquoted
from testing.factories.records import FULL, START, minutes, short
from testing.harness.command_line import CommandLine
from testing.harness.storage import Storage

ODD = short('a,b\n"c" é.jpg', caption='=cmd|"/c calc"!A0', tags=(Tag("+1", 1.0), Tag("b", 1.0)))


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_every_record_is_a_row_under_the_same_names(
    command: CommandLine, storage: Storage, tmp_path: Path
) -> None:
    for record in (FULL, ODD):
        storage.catalog.save(record, None)
    file = tmp_path / "out.csv"
    result = command("export", "--format", "csv", "--output", file)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    found = {row["path"]: row for row in rows(file.read_text("utf-8"))}
    assert set(found) == {FULL.path, ODD.path}
    full = found[FULL.path]
    assert list(full) == list(COLUMNS)
    assert (full["caption"], full["tags"]) == (FULL.caption, "dog; Hündin 🐕")
    assert (full["uploaded"], full["error"]) == ("2026-11-22T10:00:00+00:00", "throttled")
    assert full["color"] == "Display P3"
    assert "" not in full.values()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(start: str) -> None:
    stream = io.StringIO(newline="")
    evil = f"{start}cmd"
    record = short(evil, caption=evil, text=(TextLine(evil, (0, 0, 1, 1)),), tags=(Tag(evil, 1.0),))
    WRITERS["csv"]([record], stream)
    [row] = rows(stream.getvalue())
    for column in ("path", "caption", "text", "tags"):
        assert row[column] == f"'{evil}"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("SALE; =cmd", "SALE; '=cmd"),
        ("SALE\n=cmd", "SALE\n'=cmd"),
        ("SALE\t @cmd", "SALE\t '@cmd"),
        (' "=cmd', " \"'=cmd"),
        ("＝cmd", "'＝cmd"),
        ("'=cmd", "''=cmd"),
        ("\t=cmd", "'\t'=cmd"),
        ("'\tcmd", "''\tcmd"),
        ("\n" * 100_000, "'" + "\n" * 100_000),
        ("'tis 5 - 3 = 2, -1 @home", "'tis 5 - 3 = 2, -1 @home"),
        ("", ""),
    ],
)
def test_no_cell_is_a_formula_for_other_separators_either(text: str, cell: str) -> None:
    """A program that separates by semicolons or tabs begins a cell in the middle of ours."""
    stream = io.StringIO(newline="")
    WRITERS["csv"]([short("a.jpg", caption=text)], stream)
    [row] = rows(stream.getvalue())
    assert row["caption"] == cell
    assert unquoted(cell) == text


@given(st.text(alphabet="'\"=-＠;\t\r\n\0 ax", max_size=12))
def test_what_was_written_can_be_told_from_the_cell(text: str) -> None:
    stream = io.StringIO(newline="")
    WRITERS["csv"]([short("a.jpg", caption=text)], stream)
    [row] = rows(stream.getvalue())
    assert unquoted(row["caption"]) == text
    for separator in ";\t":
        for cells in csv.reader(io.StringIO(stream.getvalue(), newline=""), delimiter=separator):
            assert not any(cell.lstrip().startswith(("=", "-", "＠")) for cell in cells)


def test_json_lines_are_the_records(command: CommandLine, storage: Storage) -> None:
    for record in (FULL, ODD):
        storage.catalog.save(record, None)
    lines = command("export", "--format", "jsonl").stdout.splitlines()
    found = sorted((json.loads(line) for line in lines), key=lambda document: document["path"])
    assert found == [FULL.to_json(), ODD.to_json()]


def test_since_leaves_out_what_is_older(command: CommandLine, storage: Storage) -> None:
    for number in (-60 * 48, 0, 1):
        storage.catalog.save(short(f"{number}.jpg", minutes(number)), None)
    lines = command("export", "--format", "jsonl", "--since", f"{START:%Y-%m-%dT%H:%M:%S}").stdout
    assert [json.loads(line)["path"] for line in lines.splitlines()] == ["1.jpg", "0.jpg"]


def test_what_is_asked_for_is_what_is_written(command: CommandLine, storage: Storage) -> None:
    for name, tag in (("dog on a beach", "dog"), ("beach dog", "dog"), ("on a beach", "sea")):
        storage.catalog.save(short(name, caption=name, tags=(Tag(tag, 1.0),)), None)
    arguments = ("export", "--format", "jsonl", "--query", "on a beach", "--tag", "dog")
    lines = command(*arguments).stdout.splitlines()
    assert [json.loads(line)["path"] for line in lines] == ["dog on a beach"]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_record_is_written_before_the_next_is_read(kind: str) -> None:
    """So that any number of them takes the memory of one."""
    stream = io.StringIO()
    lengths: list[int] = []

    def records() -> Iterator[CaptionRecord]:
        for number in range(3):
            lengths.append(len(stream.getvalue()))
            yield short(f"{number}.jpg")

    WRITERS[kind](records(), stream)
    assert lengths == sorted(set(lengths))


def test_a_file_that_cannot_be_written_is_named(command: CommandLine, tmp_path: Path) -> None:
    result = command("export", "--format", "csv", "--output", tmp_path / "no" / "such.csv")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "No such file or directory" in result.stderr
    assert "such.csv" in result.stderr
