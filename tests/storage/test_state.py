"""Small documents on Table Storage."""

from __future__ import annotations

from typing import Any

import pytest

from captioning.errors import StorageUnavailable
from captioning.storage.state import StateTable
from testing.harness.storage import Storage


@pytest.fixture
def state(storage: Storage) -> StateTable:
    return storage.state


@pytest.mark.parametrize(
    "document",
    [{"NextPartitionKey": "1!4!YWI-", "NextRowKey": "1!8!z"}, "2!92!MDAw 🏖", None, [1, 2.5], {}],
)
def test_a_document_comes_back_as_it_was(document: Any, state: StateTable) -> None:
    state.put("position", "blobs", {"other": True})
    state.put("position", "blobs", document)
    assert state.get("position", "blobs") == document


def test_documents_are_apart_by_kind_and_name(state: StateTable) -> None:
    for kind, name in (("a", "x"), ("a", "y"), ("b", "x")):
        state.put(kind, name, f"{kind}{name}")
    state.delete("a", "x")
    state.delete("a", "x")
    assert [state.get(*key) for key in (("a", "x"), ("a", "y"), ("b", "x"))] == [None, "ay", "bx"]


def test_all_documents_of_a_kind_are_read(state: StateTable, monkeypatch: Any) -> None:
    monkeypatch.setattr("captioning.storage.state.PAGE", 2)
    for name in ("c", "a!", "b", "a", "d"):
        state.put("missing", name, name)
    state.put("position", "a", "other")
    assert list(state.all("missing")) == ["a", "a!", "b", "c", "d"]
    assert list(state.all("nothing")) == []


def test_a_missing_table_is_storage_trouble(storage: Storage) -> None:
    state = StateTable(storage.account.table(f"{storage.name}missing"))
    for ask in (lambda: state.get("a", "b"), lambda: state.put("a", "b", 1)):
        with pytest.raises(StorageUnavailable):
            ask()
