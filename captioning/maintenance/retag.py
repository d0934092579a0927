"""Applies a changed tag vocabulary to captioned images, at no cost: from the stored answers."""

from __future__ import annotations

from collections.abc import Iterator

from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionRecord
from captioning.ports import MessageQueue
from captioning.records.catalog import Catalog
from captioning.records.tag_vocabulary import has_other_tags


class Retag:
    """Queues captioned images whose tags were made with another vocabulary, where new tags cost
    nothing. `vocabulary` is the digest of the present one."""

    def __init__(
        self,
        catalog: Catalog,
        deferrals: MessageQueue[CaptionMessage],
        fingerprint: str,
        vocabulary: str | None,
    ) -> None:
        self._catalog = catalog
        self._deferrals = deferrals
        self._fingerprint = fingerprint
        self._vocabulary = vocabulary

    def all(self, *, dry_run: bool = False) -> Iterator[CaptionRecord]:
        """Queues the images, newest first, and yields each record as it is queued."""
        for record in self._catalog.walk():
            if record.status != "captioned" or not has_other_tags(
                record, self._fingerprint, self._vocabulary
            ):
                continue
            if not dry_run:
                self._deferrals.put(CaptionMessage(record.path, renew="tags"), 0)
            yield record
