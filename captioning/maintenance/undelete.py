"""Putting back what people wrote about images that were removed or overwritten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Literal

from captioning.domain.blobs import item_id
from captioning.domain.record import CaptionRecord
from captioning.errors import BlobGone
from captioning.ports import BlobReader, RecordWriter
from captioning.records.edits import replacing, with_returned
from captioning.records.history import after_edit, restored
from captioning.records.trash import Trash, Trashed
from captioning.records.unreadable import refuse_unreadable
from captioning.resilience.optimistic import until_saved

Outcome = Literal["restored", "pending", "in_history", "no_image", "unreadable", "nothing"]
"""`pending`: the picture has not been looked at yet, and the text returns if it is the same one;
`in_history`: another picture is there now, and the text is in the history of its record;
`no_image`: the trash keeps the text until the image is back; `unreadable`: this version cannot read
the removed record."""


class Undelete:
    """Restores texts from the trash, and from the history of records; safe to repeat. `now` as it
    becomes the record's `updated`."""

    def __init__(
        self,
        images: BlobReader,
        catalog: RecordWriter,
        trash: Trash,
        now: Callable[[], datetime],
    ) -> None:
        self._images = images
        self._catalog = catalog
        self._trash = trash
        self._now = now

    def restore(self, item: str, *, force: bool = False, dry_run: bool = False) -> Outcome:
        """Restores what people wrote about an image, named by its path or `sha256:<id>`: what is in
        the trash, or else the newest entry of its record's history. With `force` text about another
        picture becomes that of the present one.

        RecordUnreadable where this version cannot read the record that is there.
        """
        return until_saved(partial(self._restore, item_id(item), force=force, dry_run=dry_run))

    def _restore(self, identity: str, *, force: bool, dry_run: bool) -> Outcome:
        entries = self._trash.of(identity)
        stored = self._catalog.get_by_id(identity)
        if stored:
            refuse_unreadable(stored.record)
        if not entries:
            return self._from_history(identity, force=force, dry_run=dry_run)
        if entries[0].record.status == "unreadable":
            return "unreadable"
        if not self._is_there(entries[0].path):
            return "no_image"
        kept = [entry for entry in entries if entry.record.status != "unreadable"]
        if stored is None:
            # Whoever reads the blob next compares its bytes: the text stays if they are the same.
            made = self._joined(kept[0].record, kept[1:])
            outcome: Outcome = "restored"
        else:
            made = self._joined(stored.record, kept)
            is_same = made.image.sha256 in {entry.record.image.sha256 for entry in kept}
            returned = replace(with_returned(made), updated=self._now())
            if is_same and made.image.sha256:
                made = after_edit(returned, stored.record)
            elif force and made.history:
                made = restored(made, made.history[0], self._now())
            is_restored = force or (is_same and made.image.sha256 is not None)
            waits: Outcome = "in_history" if made.image.sha256 else "pending"
            outcome = "restored" if is_restored else waits
        if not dry_run:
            self._catalog.save(made, stored)
            # After the save, so that the text is in one of the two places at any time.
            for entry in kept:
                self._trash.remove(entry)
        return outcome

    def _joined(self, record: CaptionRecord, entries: list[Trashed]) -> CaptionRecord:
        """The record with what people wrote into removed ones in its history."""
        for entry in reversed(entries):
            record = replacing(record, entry.record)
        return record

    def _from_history(self, identity: str, *, force: bool, dry_run: bool) -> Outcome:
        stored = self._catalog.get_by_id(identity)
        if stored is None or not stored.record.history:
            return "nothing"
        entry = stored.record.history[0]
        is_same = entry.sha256 is not None and entry.sha256 == stored.record.image.sha256
        if not (force or is_same):
            return "in_history"
        made = restored(stored.record, entry, self._now())
        if not dry_run:
            self._catalog.save(made, stored)
        return "restored"

    def _is_there(self, path: str) -> bool:
        try:
            self._images.describe(path)
        except BlobGone:
            return False
        return True
