"""Showing a record: all of it, safe to look at, and as JSON."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from captioning.cli.console import outcome
from captioning.domain.record import Provenance, RecordError
from captioning.domain.usage import NOTHING, Usage
from testing.harness.command_line import CommandLine, saved
from testing.harness.storage import Storage
from testing.harness.waiting import HUNG_SECONDS

RIGHT_TO_LEFT = "שלום"


def test_show_prints_a_record_by_path_and_by_id(command: CommandLine, storage: Storage) -> None:
    record = saved(storage)
    by_path, by_id = command("show", record.path), command("show", f"sha256:{record.id}")
    assert by_path.stdout == by_id.stdout
    assert (by_path.exit_code, by_path.stderr) == (0, "")
    for value in (record.path, record.id, record.status, record.caption, record.alt_text):
        assert str(value) in by_path.stdout
    assert all(tag.name in by_path.stdout for tag in record.tags)


def test_the_length_of_an_alternative_text_is_shown(command: CommandLine, storage: Storage) -> None:
    output = command("show", saved(storage).path).stdout
    assert "alt text     A dog. (6 of 125 characters)\n" in output
    assert "[de] alt     Ein Hund. (9 of 125 characters)\n" in output


def test_show_takes_what_only_looks_like_an_id_for_a_path(
    command: CommandLine, storage: Storage
) -> None:
    path = f"sha256:{'z' * 64}"
    saved(storage, path)
    assert path in command("show", path).stdout


def test_show_json_is_the_record(command: CommandLine, storage: Storage) -> None:
    long = "A very long text that no terminal is wide enough for. " * 40
    record = saved(storage, "a/🏖 [red]x[/red].jpg", caption="[red]x[/red]", description=long)
    result = command("show", record.path, "--json")
    assert json.loads(result.stdout) == record.to_json()
    assert "🏖 [red]x[/red].jpg" in result.stdout
    assert max(map(len, result.stdout.splitlines())) > len(long)


def test_show_json_is_json_where_the_output_knows_ascii_only(
    command: CommandLine, storage: Storage
) -> None:
    record = saved(storage, f"{RIGHT_TO_LEFT} 🏖.jpg")
    command.settings["PYTHONIOENCODING"] = "ascii"
    with command.process("show", record.path, "--json") as process:
        output, errors = process.communicate(timeout=HUNG_SECONDS)
    assert (json.loads(output), errors) == (record.to_json(), "")


def test_text_is_text_and_never_markup(command: CommandLine, storage: Storage) -> None:
    record = saved(storage, "[red]x[/red].jpg", caption="[bold]A :smile: [/nothing] dog[/]")
    result = command("show", record.path)
    assert "path         [red]x[/red].jpg\n" in result.stdout
    assert "caption      [bold]A :smile: [/nothing] dog[/]\n" in result.stdout


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_nothing_that_steers_a_terminal_is_printed(
    options: tuple[str, ...], command: CommandLine, storage: Storage
) -> None:
    nasty = "\x1b[2J\x9b31m\x7f\u202egpj.exe\u2066\u2069\u2028end"
    record = saved(storage, caption=nasty)
    output = command("show", record.path, *options).stdout
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e\u2066-\u2069]", output)
    for spelled in (r"\u001b[2J", r"\u009b31m", r"\u007f", r"\u202egpj.exe", r"\u2028end"):
        assert spelled in output


def test_right_to_left_text_is_kept_to_itself(command: CommandLine, storage: Storage) -> None:
    record = saved(storage, f"{RIGHT_TO_LEFT}.jpg")
    assert f"path         \u2068{RIGHT_TO_LEFT}.jpg\u2069\n" in command("show", record.path).stdout


def test_show_says_why_there_is_no_caption(command: CommandLine, storage: Storage) -> None:
    error = RecordError("corrupt", "The file is damaged.")
    record = saved(storage, status="rejected", caption=None, error=error)
    assert "error        corrupt: The file is damaged.\n" in command("show", record.path).stdout


def test_show_says_when_an_image_that_waits_is_tried_again(
    command: CommandLine, storage: Storage
) -> None:
    berlin = datetime(2026, 11, 22, 12, 30, tzinfo=timezone(timedelta(hours=1)))
    error = RecordError("throttled", "Too many calls.", retry_at=berlin)
    record = saved(storage, error=error)
    shown = "throttled: Too many calls. Next attempt at 2026-11-22 11:30:00 UTC.\n"
    assert f"error        {shown}" in command("show", record.path).stdout
    assert f"{outcome(record)}\n" == shown.replace("throttled", "deferred (throttled)")
    failed = replace(record, status="failed", path="b.jpg")
    assert outcome(failed) == "failed (throttled): Too many calls."


def test_show_says_that_a_run_has_the_image(command: CommandLine, storage: Storage) -> None:
    """Also of one that held a caption, and of one that waited before."""
    record = saved(storage, status="processing")
    output = command("show", record.path).stdout
    until = "claimed by a run until 2026-11-22 10:02:00 UTC at most"
    assert f"status       processing, {until}\n" in output
    assert "tried again" not in output
    assert outcome(record) == "is being processed"
    given_up = saved(storage, "b.jpg", status="processing", claim=None)
    assert "status       processing\n" in command("show", given_up.path).stdout


@pytest.mark.parametrize(
    ("paid", "cost"),
    [
        (Usage(3011, 1024, 58, 3, 0.0035), "3,011 tokens in, 58 out, 3 Vision calls: $0.003500"),
        (Usage(1, 0, 0, 0, None), "1 tokens in, 0 out, 0 Vision calls: price unknown"),
        (Usage(), ""),
        (NOTHING, ""),
    ],
)
def test_show_tells_the_cost(
    command: CommandLine, storage: Storage, paid: Usage, cost: str
) -> None:
    record = saved(storage, usage=paid)
    lines = command("show", record.path).stdout.splitlines()
    assert [line for line in lines if line.startswith("cost")] == (
        [f"cost         {cost}"] if cost else []
    )


def test_show_names_the_image_whose_answers_are_reused(
    command: CommandLine, storage: Storage
) -> None:
    record = saved(storage, provenance=Provenance(reused_from="a\x1b.jpg"))
    assert "reused from  a\\u001b.jpg\n" in command("show", record.path).stdout


def test_show_tells_a_frame_of_a_burst(command: CommandLine, storage: Storage) -> None:
    record = saved(storage, provenance=Provenance(reused_from="a.jpg", burst=True))
    line = "reused from  a.jpg (a near-identical frame)\n"
    assert line in command("show", record.path).stdout


@pytest.mark.parametrize("path", ["none.jpg", f"sha256:{'0' * 64}", "esc\x1b.jpg"])
def test_an_unknown_path_is_an_error(path: str, command: CommandLine) -> None:
    result = command("show", path)
    shown = path.replace("\x1b", r"\u001b")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"There is no record for {shown}.\n"
