"""`restore` and `forget` from a terminal."""

from __future__ import annotations

from datetime import UTC, datetime

from azure.storage.blob import ContainerClient

from captioning.records.edits import edited
from testing.factories.pictures import oriented
from testing.factories.records import short
from testing.harness.command_line import CommandLine
from testing.harness.storage import Storage


def described(storage: Storage, path: str) -> None:
    """An image that a person has described."""
    storage.trash(lambda: datetime.now(UTC))
    assert storage.state
    assert storage.thumbnails
    storage.upload(path, oriented(1))
    stored = storage.catalog.save(short(path), None)
    record = edited(stored.record, {"caption": "Anna's."}, datetime.now(UTC))
    storage.catalog.save(record, stored)


def test_what_was_forgotten_is_listed_and_restored(command: CommandLine, storage: Storage) -> None:
    described(storage, "a.jpg")
    assert command("restore").stderr == "The trash is empty.\n"
    refused = command("forget", "a.jpg")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "still there" in refused.stderr
    storage.delete("a.jpg")
    assert command("forget", "a.jpg").exit_code == 0
    assert storage.catalog.get("a.jpg") is None
    assert "kept until" in command("restore").stdout
    without = command("restore", "a.jpg")
    assert (without.exit_code, without.stdout) == (1, "")
    assert "upload it" in without.stderr
    storage.upload("a.jpg", oriented(1))
    dry = command("restore", "a.jpg", "--dry-run")
    assert (dry.exit_code, dry.stdout) == (0, "a.jpg: would be restored\n")
    assert storage.catalog.get("a.jpg") is None
    assert command("restore", "--all").stdout == "a.jpg: restored\n"
    stored = storage.catalog.get("a.jpg")
    assert stored
    assert stored.record.caption == "Anna's."
    assert command("restore", "a.jpg").exit_code == 1


def test_erasing_asks_first(command: CommandLine, storage: Storage) -> None:
    described(storage, "a.jpg")
    assert command("forget", "a.jpg", "--erase").exit_code == 1
    assert storage.catalog.get("a.jpg")
    result = command("forget", "a.jpg", "--erase", "--yes")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("a.jpg: erased\n")
    assert "Deleted images" in result.stdout
    assert storage.catalog.get("a.jpg") is None
    assert command("restore").stderr == "The trash is empty.\n"
    assert command("forget", "sha256:abc", "--erase", "--yes").exit_code == 2


def test_the_command_finds_copies_of_earlier_versions(
    command: CommandLine, storage: Storage
) -> None:
    """Their records are in no index of what they were reused from."""
    described(storage, "a.jpg")
    copy = storage.catalog.save(short("b.jpg"), None)
    provenance = {**copy.record.to_json()["provenance"], "reused_from": "a.jpg"}
    document = copy.record.to_json() | {"provenance": provenance}
    storage.catalog.save(copy.record.from_json(document), copy)
    for partition in ("0", "1", "2", "3"):
        for row in storage.table.page(partition, "term~from~", "term~from~~", 10):
            storage.table.delete(partition, str(row["RowKey"]))
    command("forget", "a.jpg", "--erase", "--yes")
    stored = storage.catalog.get("b.jpg")
    assert stored
    assert stored.record.provenance.reused_from == ""


def test_one_that_cannot_be_erased_stops_no_other(command: CommandLine, storage: Storage) -> None:
    for path in ("a.jpg", "b.jpg"):
        described(storage, path)
    with ContainerClient.from_connection_string(storage.connection, storage.name) as container:
        lease = container.get_blob_client("a.jpg").acquire_lease()
        result = command("forget", "a.jpg", "b.jpg", "--erase", "--yes")
        lease.release()
    assert result.exit_code == 1
    assert result.stderr.startswith("a.jpg: ")
    assert "lease" in result.stderr
    assert result.stdout.startswith("b.jpg: erased\n")
    assert storage.catalog.get("a.jpg")
