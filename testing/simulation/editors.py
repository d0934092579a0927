"""Editors who correct records, and which of their corrections must remain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from captioning.api.edits import EditApi
from captioning.api.messages import Request
from testing.simulation.world import Store, catalog_over

FIELDS = ["caption", "tags", "review", "alt_text", "decorative"]
PAIR = {"alt_text", "decorative"}
"""Writing one of these overrides an earlier correction of the other."""
HEADERS = {"content-type": "application/json", "if-match": "*"}


@dataclass(frozen=True)
class Correction:
    """A value that an editor wrote into a field of the record of an upload.

    It is `bound` to the bytes of the upload if the app knew these at the time.
    """

    field: str
    value: Any
    etag: str
    bound: bool


class Editors:
    """Editors, who use the API of a process of their own. `made` has their corrections by path, in
    order."""

    def __init__(self, store: Store) -> None:
        self._api = EditApi(catalog_over(store.table, store.words, store.now), store.now)
        self.made: dict[str, list[Correction]] = {}

    def correct(self, path: str, field: str) -> None:
        """Writes into a field of a record, if there is one. No text is written twice."""
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
        """By field, values of which the record of this upload must have one. `same` are the latest
        consecutive uploads of the path with the same bytes."""
        return {
            field: values
            for field in FIELDS
            if (values := list(self._values(path, field, etag, same)))
        }

    def latest(self, path: str, etags: set[str]) -> dict[str, Any]:
        """By field, the newest correction that was made to records of these uploads when their
        bytes were known. Without the PAIR, of which one is changed with the other."""
        made = [one for one in self.made.get(path, []) if one.etag in etags and one.bound]
        return {one.field: one.value for one in made if one.field not in PAIR}

    def about(self, path: str, field: str, value: Any) -> set[str]:
        """The uploads to whose record this value was written."""
        found = self.made.get(path, [])
        return {made.etag for made in found if (made.field, made.value) == (field, value)}

    def _values(self, path: str, field: str, etag: str, same: list[str]) -> Iterator[Any]:
        """The newest correction, and older ones down to the first that is bound to these bytes or
        was made to this upload. None if no correction has to remain."""
        values = []
        for made in reversed(self.made.get(path, [])):
            if made.field != field or made.etag not in same:
                continue
            values.append(made.value)
            if made.bound or made.etag == etag:
                yield from values
                return
