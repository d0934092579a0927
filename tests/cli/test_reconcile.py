"""`reconcile --confirm` from a terminal."""

from __future__ import annotations

from testing.factories.records import short
from testing.harness.command_line import CommandLine
from testing.harness.storage import Storage


def test_it_confirms_that_images_are_missing(command: CommandLine, storage: Storage) -> None:
    assert storage.images
    assert storage.state
    storage.catalog.save(short("gone.jpg"), None)
    assert command("reconcile").exit_code == 2
    result = command("reconcile", "--confirm")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "1 records examined, 1 marked, 0 removed" in result.stdout
    assert "24 hours" in result.stdout
    assert storage.catalog.get("gone.jpg")
