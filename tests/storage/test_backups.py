"""The container of backups: each file is written once, and nothing is guessed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from captioning.errors import StorageUnavailable
from captioning.ports import KeptFile
from captioning.storage.accounts import BlobAccount
from captioning.storage.backups import BackupContainer
from testing.harness.storage import Storage

CALLS: list[Callable[[BackupContainer], Any]] = [
    lambda kept: kept.folders(),
    lambda kept: kept.files("a"),
    lambda kept: kept.put("a", "b", b"x", {}),
    lambda kept: kept.read("a", "b"),
    lambda kept: kept.delete("a", "b"),
]


def test_a_file_is_written_once(storage: Storage) -> None:
    kept = storage.backups
    assert kept.put("a", "2", b"two", {"next": "0|record~"})
    assert kept.put("a", "1", b"", {})
    assert kept.put("ab", "1", b"x", {})
    assert not kept.put("a", "2", b"other", {})
    assert kept.read("a", "2") == b"two"
    assert kept.files("a") == [KeptFile("1", 0, {}), KeptFile("2", 3, {"next": "0|record~"})]
    assert kept.folders() == ["a", "ab"]
    kept.delete("a", "2")
    kept.delete("a", "2")
    assert kept.read("a", "2") is None


@pytest.mark.parametrize("call", CALLS)
def test_a_missing_container_is_no_empty_one(
    call: Callable[[BackupContainer], Any], storage: Storage
) -> None:
    account = BlobAccount(connection_string=storage.connection)
    with pytest.raises(StorageUnavailable):
        call(account.backups("no-such-container"))
    account.close()
