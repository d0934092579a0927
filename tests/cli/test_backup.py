"""`backup` and `import` from a terminal."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

from captioning.domain.record import CaptionRecord
from testing.factories.archive import archive
from testing.factories.records import short
from testing.harness.command_line import CommandLine, saved
from testing.harness.storage import Storage
from testing.harness.waiting import eventually


def write(file: Path, records: list[CaptionRecord]) -> Path:
    text = "".join(f"{json.dumps(record.to_json())}\n" for record in records)
    file.write_bytes(gzip.compress(text.encode()))
    return file


def forget_all(storage: Storage) -> None:
    for record in list(storage.catalog.walk()):
        stored = storage.catalog.get(record.path)
        assert stored
        storage.catalog.remove(stored)


def test_what_is_backed_up_is_put_back(command: CommandLine, storage: Storage) -> None:
    records = [saved(storage, f"{number}.jpg") for number in range(3)]
    made = command("backup")
    assert (made.exit_code, made.stderr) == (0, "")
    name = made.stdout.partition(":")[0]
    assert made.stdout == f"{name}: 3 records, 0 unreadable\n"
    storage.backups.put("2000-01-01", "records-00001.jsonl.gz", b"", {})
    assert command("backup", "--list").stdout == (f"2000-01-01  not complete\n{name}  3 records\n")
    forget_all(storage)
    dry = command("import", "--backup", "latest", "--dry-run")
    assert "3 would be added" in dry.stdout
    assert not list(storage.catalog.walk())
    for chosen in ("latest", name):
        assert command("import", "--backup", chosen).exit_code == 0
    assert sorted(storage.catalog.walk(), key=lambda one: one.path) == records
    assert command("import", "--backup", "2001-01-01").exit_code == 2


def test_an_export_is_put_back_too(command: CommandLine, storage: Storage, tmp_path: Path) -> None:
    record = saved(storage, "a.jpg")
    file = tmp_path / "all.jsonl"
    command("export", "--format", "jsonl", "--output", file)
    forget_all(storage)
    result = command("import", file)
    assert (result.exit_code, list(storage.catalog.walk())) == (0, [record])
    assert "1 added, 0 replaced, 0 the same, 0 kept" in result.stdout
    assert "24 hours" in result.stderr


def test_a_bad_line_is_named_and_the_command_fails(
    command: CommandLine, storage: Storage, tmp_path: Path
) -> None:
    file = tmp_path / "all.jsonl"
    file.write_text(f"{json.dumps(short('a.jpg').to_json())}\n{{\n", "utf-8")
    assert storage.images
    result = command("import", file)
    assert result.exit_code == 1
    assert f"{file}, line 2 is not JSON" in result.stderr
    assert "1 added" in result.stdout


def test_it_says_what_it_needs(command: CommandLine, tmp_path: Path) -> None:
    assert command("import").exit_code == 2
    assert command("import", "a.jsonl", "--backup", "latest").exit_code == 2
    missing = command("import", tmp_path / "none.jsonl")
    assert (missing.exit_code, "none.jsonl" in missing.stderr) == (2, True)
    assert "no records" in command("backup").stderr


def test_a_killed_import_is_finished_by_the_next(
    command: CommandLine, storage: Storage, tmp_path: Path
) -> None:
    records = list(archive(400))
    file = write(tmp_path / "all.jsonl.gz", records)
    assert storage.images
    with command.process("import", file) as process:
        eventually(lambda: len(list(storage.catalog.walk())) > 30)
        process.kill()
        process.wait()
    there = len(list(storage.catalog.walk()))
    assert there < len(records)
    result = command("import", file)
    assert result.exit_code == 0
    # What the killed process had sent may have been saved after it was counted.
    added, same = map(int, re.findall(r"(\d+) (?:added|the same)", result.stdout))
    assert added + same == len(records)
    assert 0 < added <= len(records) - there
    assert {one.path: one for one in storage.catalog.walk()} == {one.path: one for one in records}
