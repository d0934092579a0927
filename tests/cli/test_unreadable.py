"""The command line with a record that this version cannot read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from testing.harness.command_line import CommandLine, saved
from testing.harness.planted_rows import plant_in
from testing.harness.storage import Storage


@pytest.fixture(autouse=True)
def _records(storage: Storage) -> None:
    for path in ("a.jpg", "b.jpg"):
        saved(storage, path, status="captioned", caption="A dog.", error=None)
    plant_in(storage, saved(storage, "odd.jpg"), status="archived")


def test_find_and_show_name_it(command: CommandLine) -> None:
    found = command("find").stdout
    assert all(path in found for path in ("a.jpg", "b.jpg", "odd.jpg"))
    assert "odd.jpg" in command("find", "--status", "unreadable").stdout
    assert "a.jpg" not in command("find", "--status", "unreadable").stdout
    shown = command("show", "odd.jpg")
    assert shown.exit_code == 0
    assert "cannot read the record: status." in shown.stdout
    assert command("revert", "odd.jpg").exit_code == 1
    assert json.loads(command("show", "odd.jpg", "--json").stdout)["status"] == "unreadable"


@pytest.mark.parametrize("form", ["csv", "jsonl", "xmp"])
def test_export_leaves_it_out_and_says_so(form: str, command: CommandLine, tmp_path: Path) -> None:
    output = tmp_path / "out"
    result = command("export", "--format", form, "--output", output)
    assert result.exit_code == 1
    assert "odd.jpg: left out, it cannot be read" in result.stderr
    files = [output] if output.is_file() else [*output.iterdir()]
    written = " ".join(file.name + file.read_text("utf-8-sig") for file in files)
    assert "a.jpg" in written
    assert "b.jpg" in written
    assert "odd.jpg" not in written
