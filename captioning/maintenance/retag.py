"""The tag vocabulary for images whose tags another one made: at no cost, from what is known."""

from __future__ import annotations

from collections.abc import Iterator

from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionRecord
from captioning.ports import MessageQueue
from captioning.records.catalog import Catalog
from captioning.records.tag_vocabulary import has_other_tags
from captioning.search.query import Query


class Retag:
    """Queues captioned images whose tags are of another vocabulary, where that costs nothing."""

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
        """Yields the records, as they are queued."""
        for record in self._catalog.walk(Query(status="captioned")):
            if not has_other_tags(record, self._fingerprint, self._vocabulary):
                continue
            if not dry_run:
                self._deferrals.put(CaptionMessage(record.path), 0)
            yield record
