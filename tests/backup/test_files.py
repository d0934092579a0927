"""Files of JSON lines: compressed or not, in folders, whole or damaged."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from captioning.backup import files
from captioning.backup.files import Line, Problem, in_paths


def write_backup(folder: Path, *parts: list[str]) -> None:
    """Parts with a manifest."""
    folder.mkdir()
    listed = []
    for number, lines in enumerate(parts, 1):
        name, data = files.part_name(number), gzip.compress("\n".join(lines).encode())
        (folder / name).write_bytes(data)
        listed.append({"name": name, "sha256": hashlib.sha256(data).hexdigest()})
    (folder / "manifest.json").write_text(json.dumps({"parts": listed}), "utf-8")


def texts(*paths: Path) -> list[str]:
    return [found.text for found in in_paths([*paths]) if isinstance(found, Line)]


def problems(*paths: Path) -> list[str]:
    return [str(found) for found in in_paths([*paths]) if isinstance(found, Problem)]


def test_lines_have_numbers_and_blank_ones_are_left_out(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    plain.write_bytes(b"\xef\xbb\xbf{}\r\n\n {1}")
    packed.write_bytes(gzip.compress(b"{2}\n"))
    assert list(in_paths([plain, packed])) == [
        Line(str(plain), 1, "{}"),
        Line(str(plain), 3, "{1}"),
        Line(str(packed), 1, "{2}"),
    ]
    assert [*in_paths([tmp_path])] == [*in_paths([plain, packed])]


def test_a_line_that_is_no_text_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"{1}\n\xff\n{2}\n")
    assert texts(tmp_path) == ["{1}", "{2}"]
    assert problems(tmp_path) == [f"{tmp_path}/a.jsonl, line 2 is not UTF-8 text"]


def test_a_line_without_an_end_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 100)
    (tmp_path / "a.jsonl").write_bytes(b"{1}\n" + 1_000 * b"x" + b"\n{2}\n")
    assert texts(tmp_path) == ["{1}"]
    assert "line 2 is too long" in problems(tmp_path)[0]


@pytest.mark.parametrize("end", [b"", b"\xff" * 50])
def test_a_damaged_file_gives_what_is_before_the_damage(end: bytes, tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(b'{"n": %d}\n' % number for number in range(20_000)))
    (tmp_path / "a.jsonl.gz").write_bytes(whole[: len(whole) // 2] + end)
    (tmp_path / "b.jsonl").write_text("{last}")
    assert len(texts(tmp_path)) > 100
    assert texts(tmp_path)[-1] == "{last}"
    assert "is damaged behind line" in problems(tmp_path)[0]


def test_a_folder_of_backups_is_read_oldest_first(tmp_path: Path) -> None:
    write_backup(tmp_path / "2026-12-02", ["{3}"])
    write_backup(tmp_path / "2026-12-01", ["{1}"], ["{2}"])
    assert texts(tmp_path) == ["{1}", "{2}", "{3}"]
    assert problems(tmp_path) == []


def test_a_backup_that_is_not_whole_says_so_and_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "2026-12-01"
    write_backup(folder, ["{1}"], ["{2}"], ["{3}"])
    (folder / "records-00002.jsonl.gz").unlink()
    (folder / "records-00003.jsonl.gz").write_bytes(gzip.compress(b"{4}"))
    assert texts(tmp_path) == ["{1}", "{4}"]
    missing, changed = problems(tmp_path)
    assert "records-00002.jsonl.gz is missing" in missing
    assert "records-00003.jsonl.gz has changed" in changed
    (folder / "manifest.json").unlink()
    assert "is not complete" in problems(tmp_path)[0]
