"""People who correct records of a world, and what has to be left of it in the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from captioning.api.edits import EditApi
from captioning.api.messages import Request
from captioning.records.catalog import Catalog
from testing.simulation.world import Store

FIELDS = ["caption", "tags", "review", "alt_text", "decorative"]
PAIR = {"alt_text", "decorative"}
"""Of these the later one decides, also over what was written into the other."""
HEADERS = {"content-type": "application/json", "if-match": "*"}


@dataclass(frozen=True)
class Correction:
    """A value that somebody wrote into a field, and the upload whose record it was.

    It is `bound` to the upload's bytes where the app knew these when it was written.
    """

    field: str
    value: Any
    etag: str
    bound: bool


class Editors:
    """They write over the API of a process of its own. `made` are corrections by path, in order."""

    def __init__(self, store: Store) -> None:
        self._api = EditApi(Catalog(store.records, store.index), store.now)
        self.made: dict[str, list[Correction]] = {}

    def correct(self, path: str, field: str) -> None:
        """Somebody writes into a field, if there is a record. No two write the same texts."""
        number = sum(map(len, self.made.values()))
        texts = {"tags": [f"tag {number}"], "review": "done", "decorative": True}
        body = json.dumps({field: texts.get(field, f"Text {number}.")}).encode()
        response = self._api.patch_caption(Request("/", path, HEADERS, body))
        if response.status == 404:
            return
        assert response.status == 200
        document = json.loads(response.body)
        image = document["image"]
        assert field in document["provenance"]["edited_by_human"]
        for name in PAIR if field in PAIR else {field}:
            made = Correction(name, document[name], image["etag"], image["sha256"] is not None)
            self.made.setdefault(path, []).append(made)

    def left(self, path: str, etag: str, same: list[str]) -> dict[str, list[Any]]:
        """Values that a record of this upload must have one of, by field. `same` are the path's
        latest uploads with the same bytes, between which nothing else was there."""
        return {
            field: values
            for field in FIELDS
            if (values := list(self._values(path, field, etag, same)))
        }

    def about(self, path: str, field: str, value: Any) -> set[str]:
        """The uploads whose record had this written into the field."""
        found = self.made.get(path, [])
        return {made.etag for made in found if (made.field, made.value) == (field, value)}

    def _values(self, path: str, field: str, etag: str, same: list[str]) -> Iterator[Any]:
        """The newest, and older ones that stand where the newer were of unknown bytes; nothing
        where there is none that has to stay."""
        values = []
        for made in reversed(self.made.get(path, [])):
            if made.field != field or made.etag not in same:
                continue
            values.append(made.value)
            if made.bound or made.etag == etag:
                yield from values
                return
