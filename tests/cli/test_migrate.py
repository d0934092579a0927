"""`migrate` from a terminal: what it prints, and what it exits with."""

from __future__ import annotations

import pytest

from captioning.errors import StorageUnavailable
from captioning.ports import Entity
from captioning.records.layout import COMMAND, LAYOUT
from captioning.storage.tables import Table, Token
from testing.factories.older_records import older_entity, older_records
from testing.harness.command_line import DEAD_STORAGE, CommandLine
from testing.harness.storage import Storage

RECORDS = older_records(6)


@pytest.fixture
def older(storage: Storage) -> Table:
    """The tables of the first layout, with six records."""
    for kind in ("", "index"):
        storage.account.create(storage.name + kind)
    table = storage.account.table(storage.name)
    for record in RECORDS:
        table.put(older_entity(record), None)
    return table


def test_records_are_moved_and_shown(command: CommandLine, storage: Storage, older: Table) -> None:
    refused = command("show", RECORDS[0].path)
    assert refused.exit_code == 1
    assert COMMAND in refused.stderr
    result = command("migrate")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "6 moved, 0 there already" in result.stdout
    assert RECORDS[0].path in command("show", RECORDS[0].path).stdout
    assert len(older.scan(100, None)[0]) == 6


def test_a_second_run_says_that_nothing_is_left(command: CommandLine, older: Table) -> None:
    command("migrate")
    result = command("migrate")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "0 moved" in result.stdout


def test_earlier_tables_are_deleted_when_all_is_moved(
    command: CommandLine, storage: Storage, older: Table
) -> None:
    assert "deleted" not in command("migrate").stdout
    for _ in range(2):
        result = command("migrate", "--drop-old")
        assert (result.exit_code, result.stderr) == (0, "")
        assert "deleted" in result.stdout
        assert not older.is_there()
        assert not storage.account.table(f"{storage.name}index").is_there()
    assert command("find").stdout.count(".jpg") == 6


def test_what_cannot_be_read_keeps_the_earlier_tables(
    command: CommandLine, storage: Storage, older: Table
) -> None:
    older.upsert({**older_entity(RECORDS[2]), "status": "unheard of"})
    for _ in range(2):
        result = command("migrate", "--drop-old")
        assert result.exit_code == 1
        assert f"sha256:{RECORDS[2].id}" in result.stderr
        assert "--leave-unreadable" in result.stderr
        assert "unheard" not in result.output
        assert storage.table.get(LAYOUT, LAYOUT) is None
        assert older.is_there()
    result = command("migrate", "--leave-unreadable")
    assert result.exit_code == 0
    assert f"sha256:{RECORDS[2].id}" in result.stderr
    assert command("find").stdout.count(".jpg") == 5


def test_without_earlier_tables_nothing_is_moved(command: CommandLine, storage: Storage) -> None:
    assert storage.table
    result = command("migrate")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "0 moved, 0 there already" in result.stdout
    assert command("find").exit_code == 0


def test_earlier_tables_that_do_not_answer_are_not_taken_for_none(
    command: CommandLine, storage: Storage, older: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty catalogue in their place would have every image captioned, and paid for, again."""
    assert older

    def refuse(*_: object) -> None:
        raise StorageUnavailable("storage answered 500")

    with monkeypatch.context() as patch:
        patch.setattr(Table, "scan", refuse)
        assert command("find").exit_code == 1
    assert storage.table.get(LAYOUT, LAYOUT) is None


def test_earlier_records_behind_an_empty_page_are_seen(
    command: CommandLine, storage: Storage, older: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service may answer a scan with a page that holds nothing but the next position."""
    scan = Table.scan
    empty: list[tuple[list[Entity], Token]] = [([], {"PartitionKey": "0", "RowKey": ""})]

    def late(table: Table, size: int, token: Token) -> tuple[list[Entity], Token]:
        return empty.pop() if empty else scan(table, size, None)

    with monkeypatch.context() as patch:
        patch.setattr(Table, "scan", late)
        assert COMMAND in command("find").stderr
    assert storage.table.get(LAYOUT, LAYOUT) is None


def test_storage_that_does_not_answer_is_one_line(command: CommandLine) -> None:
    command.settings["ImageStorage"] = DEAD_STORAGE
    result = command("migrate")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
