"""`drop --wait`: until each image has its caption."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from captioning.domain.record import RecordError
from captioning.embedded.stack.child import Child
from testing.azurite import free_ports
from testing.factories import pictures
from testing.factories.records import FULL, START
from testing.harness.command_line import CommandLine, saved
from testing.harness.storage import Storage
from testing.harness.waiting import HUNG_SECONDS
from testing.paths import ROOT


@pytest.fixture
def host(command: CommandLine, tmp_path: Path) -> Iterator[Child]:
    """The app under the embedded host."""
    samples = json.loads((ROOT / "local.settings.sample.json").read_text())["Values"]
    environ = {
        **samples,
        **os.environ,
        **command.settings,
        "AzureWebJobsStorage": command.settings["ImageStorage"],
        "AzureFunctionsWebHost__hostid": command.settings["IMAGES_CONTAINER"],
    }
    run = [sys.executable, "-m", "captioning.embedded.host", "--port", str(free_ports(1)[0])]
    child = Child("host", run, tmp_path / "host.log", environ)
    yield child
    child.stop()


def test_drop_waits_for_the_captions(
    command: CommandLine, host: Child, storage: Storage, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "cat.jpg").write_bytes((ROOT / "samples/cat.jpg").read_bytes())
    result = command("drop", folder, "--wait", "--prefix", "שלום/")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1] == "\u2068שלום/cat.jpg\u2069: A cat."
    (folder / "cat.jpg").write_bytes(b"no picture")
    (folder / "dot.png").write_bytes(pictures.encoded(pictures.quadrants(), "PNG"))
    result = command("drop", folder, "--wait", "--prefix", "שלום/")
    assert result.exit_code == 1
    assert "cat.jpg\u2069: rejected (unsupported_format): " in result.stdout
    stored = storage.catalog.get("שלום/dot.png")
    assert stored
    assert stored.record.status == "captioned"


def test_a_file_that_failed_is_not_waited_for(
    command: CommandLine, host: Child, tmp_path: Path
) -> None:
    file = tmp_path / "gone.jpg"
    file.symlink_to("/proc/self/mem")
    result = command("drop", file, "--wait")
    assert result.exit_code == 1
    assert result.stdout.endswith("0 sent, 0 already there, 1 failed\n")


def test_a_deferred_image_is_told_of_and_waited_for_until_ctrl_c(
    command: CommandLine, storage: Storage, tmp_path: Path
) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"x")
    assert command("drop", file).exit_code == 0
    image = replace(FULL.image, etag=storage.images.describe("a.jpg").etag)
    saved(
        storage,
        "a.jpg",
        image=image,
        error=RecordError("throttled", "Too many calls.", retry_at=START),
    )
    with command.process("drop", file, "--wait") as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(3)]
        again = "Next attempt at 2026-11-22 10:00:00 UTC."
        assert lines[2] == f"a.jpg: deferred (throttled): Too many calls. {again} Still waiting.\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=HUNG_SECONDS)
    assert (process.returncode, output, errors) == (130, "", "")


def test_a_blob_that_is_deleted_is_not_waited_for(
    command: CommandLine, storage: Storage, tmp_path: Path
) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"x")
    with command.process("drop", file, "--wait") as process:
        assert process.stdout
        assert process.stdout.readline() == "sent    a.jpg\n"
        storage.delete("a.jpg")
        output, errors = process.communicate(timeout=HUNG_SECONDS)
    assert (process.returncode, errors) == (1, "")
    assert output.splitlines()[-1] == "a.jpg: was deleted in the meantime"
