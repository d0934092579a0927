"""The command line as a whole: help, errors, terminals and pipes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from testing.harness.command_line import DEAD_STORAGE, CommandLine, Terminal
from testing.harness.waiting import HUNG_SECONDS
from testing.paths import ROOT

COMMANDS = [
    *("up", "drop", "show", "find", "export", "backup", "import", "reprocess", "migrate"),
    *("prices", "reconcile", "revert", "restore", "forget", "retag", "try", "check"),
]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, command: CommandLine) -> None:
    result = command(name, "--help")
    assert result.exit_code == 0
    assert "Usage: " in result.stdout
    assert "--help" in result.stdout


def test_help_names_every_command(command: CommandLine) -> None:
    listed = command("--help").stdout.partition("Commands:\n")[2]
    assert [line.split()[0] for line in listed.splitlines()] == COMMANDS


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "x"),
        ("drop", "samples"),
        ("drop", "--wait", "samples"),
        ("reprocess", "--status", "failed"),
    ],
)
def test_storage_that_is_not_there_is_one_clear_line(
    arguments: tuple[str, ...], command: CommandLine
) -> None:
    command.settings["ImageStorage"] = DEAD_STORAGE
    result = command(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert "ImageStorage" in result.stderr
    assert "make run" in result.stderr


def test_storage_that_refuses_the_key_is_one_clear_line(command: CommandLine) -> None:
    key = re.search("AccountKey=([^;]+)", command.settings["ImageStorage"])
    assert key
    command.settings["ImageStorage"] = command.settings["ImageStorage"].replace(key[1], "d3Jvbmc=")
    result = command("show", "x")
    assert result.exit_code == 1
    assert result.stderr == "Storage refuses the key or identity that ImageStorage gives.\n"


def test_bad_settings_are_all_named_and_their_values_are_not(command: CommandLine) -> None:
    command.settings |= {"VISION_API": "s3cret", "CAPTION_DETAIL": "s3cret"}
    for arguments in (("show", "x"), ("drop", "samples"), ("reprocess", "--status", "failed")):
        result = command(*arguments)
        assert result.exit_code == 2
        assert [line.split()[0] for line in result.stderr.splitlines()] == [
            "VISION_API",
            "CAPTION_DETAIL",
        ]
        assert "s3cret" not in result.stderr


def test_a_bar_is_drawn_on_a_terminal_and_lines_stay_in_their_pipe(
    command: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    terminal = Terminal()
    with command.process("drop", tmp_path, stderr=terminal.end) as process:
        output, _ = process.communicate(timeout=HUNG_SECONDS)
    terminal.close()
    assert output == "sent    a.jpg\n1 sent, 0 already there, 0 failed\n"
    assert "dropping" in terminal.text
    assert "1/1" in terminal.text
    with command.process("drop", tmp_path) as process:
        output, errors = process.communicate(timeout=HUNG_SECONDS)
    assert (output, errors) == ("there   a.jpg\n0 sent, 1 already there, 0 failed\n", "")


def test_lines_go_above_the_bar_where_both_are_on_a_terminal(
    command: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "[red]x[bold].jpg").write_bytes(b"x")
    terminal = Terminal()
    with command.process("drop", tmp_path, stdout=terminal.end, stderr=terminal.end) as process:
        assert process.wait(HUNG_SECONDS) == 0
    terminal.close()
    assert "\r\x1b[2Ksent    [red]x[bold].jpg\ndropping " in terminal.text
    assert terminal.text.endswith("\r\x1b[1A\x1b[2K1 sent, 0 already there, 0 failed\n")


TABLE = """
from dataclasses import replace
from captioning.cli.console import print_table
from testing.factories.records import FULL
print_table([replace(FULL, path="deep/" * 40, caption="long " * 40, status="captioned",
                     seconds=9.87)])
"""


def test_the_table_fits_a_terminal_and_is_a_line_a_record_elsewhere() -> None:
    terminal = Terminal()
    subprocess.run([sys.executable, "-c", TABLE], cwd=ROOT, stdout=terminal.end, check=True)
    terminal.close()
    shown = re.sub(r"\x1b\[[0-9;]*m", "", terminal.text).splitlines()
    assert len(shown) > 3
    assert max(map(len, shown)) <= 80
    assert shown[1].endswith("9.87")
    piped = subprocess.run(
        [sys.executable, "-c", TABLE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    heading, row = piped.stdout.splitlines()
    assert heading.split() == ["path", "caption", "tags", "seconds"]
    assert row.startswith("deep/" * 40 + "  " + "long " * 40)
    assert row.endswith("9.87")
