"""Terms: what a record is found by in the index.

word~surf                       a stem of path, caption, alt text, description, tags, objects,
                                brands and text in the picture
tag~golden retriever            a tag, folded
status~failed, review~needed    the state of the record; `review~none` is not indexed
made~0f3a…                      how a final record was made: its fingerprint
from~51c2…                      the id of the record whose answers it reuses
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from captioning.domain.record import FINAL, CaptionRecord, record_id
from captioning.text.words import ALWAYS, is_common, stem, tag_key, words

MOST_WORDS = 200
"""Different words of a record that are indexed beside those of its path, the first ones."""
MADE = "made~"
FROM = "from~"


class Wording:
    """What a record says, in words; worked out when it is first needed."""

    def __init__(self, record: CaptionRecord) -> None:
        self._record = record

    @cached_property
    def texts(self) -> tuple[tuple[str, ...], ...]:
        """The words of each of its texts, in their order; the path's first."""
        return tuple(tuple(words(text)) for text, _ in _texts(self._record))

    @cached_property
    def indexed(self) -> frozenset[str]:
        """Every word that it is found by."""
        return frozenset(word for word, _ in self._kept)

    @cached_property
    def terms(self) -> frozenset[str]:
        """Its terms."""
        record = self._record
        found = {f"word~{stem(word, language)}" for word, language in self._kept}
        found |= {f"tag~{key}" for tag in record.tags if (key := tag_key(tag.name))}
        found.add(f"status~{record.status}")
        if record.review != "none":
            found.add(f"review~{record.review}")
        if record.status in FINAL and record.provenance.fingerprint:
            found.add(f"{MADE}{record.provenance.fingerprint}")
        found |= {f"{FROM}{record_id(path)}" for path in _reused_from(record)}
        return frozenset(found)

    @cached_property
    def _path(self) -> frozenset[str]:
        return frozenset(word for word in self.texts[0] if not is_common(word, ALWAYS))

    @cached_property
    def _kept(self) -> frozenset[tuple[str, str]]:
        """Words with their language: the path's, and the first of the others."""
        kept = dict.fromkeys((word, ALWAYS) for word in self._path)
        most = len(kept) + MOST_WORDS
        for (_, language), text in zip(_texts(self._record), self.texts, strict=True):
            for word in text:
                if len(kept) < most and not is_common(word, language):
                    kept[word, language] = None
        return frozenset(kept)


def _reused_from(record: CaptionRecord) -> Iterator[str]:
    """The paths of the images whose answers its texts, present or previous, were paid for."""
    earlier = record.previous.provenance.get("reused_from") if record.previous else None
    for path in (record.provenance.reused_from, earlier):
        if path and isinstance(path, str):
            yield path


def _texts(record: CaptionRecord) -> Iterator[tuple[str, str]]:
    """Each text with its language, what says most about the picture first; the path before all."""
    main = record.language or ALWAYS
    yield record.path, ALWAYS
    for text in (record.caption, record.alt_text, *(tag.name for tag in record.tags)):
        yield text or "", main
    for found in (*record.objects, *record.brands):
        yield found.name, main
    yield record.description or "", main
    for language, translation in record.translations.items():
        for text in (translation.caption, translation.alt_text, translation.description):
            yield text, language
    for line in record.text:
        yield line.text, main
