"""A search: what is asked for, and which records answer it.

`q` takes words, "quoted phrases", and -words and -"phrases" to leave out. The last word is also
taken as the beginning of one, for search as you type, unless a space follows.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

from captioning.domain.record import FINAL, CaptionRecord, Review, Status
from captioning.errors import BadRequest
from captioning.search.terms import Wording
from captioning.text.words import ALWAYS, is_common, stem, tag_key, words

MOST_CHARACTERS = 500
MOST_TERMS = 16
SHORTEST_BEGINNING = 2
_PART = re.compile(r'(-?)(?:"([^"]*)("?)|([^\s"]+))')


@dataclass(frozen=True, slots=True)
class Phrase:
    """Folded words that stand in this order; mostly one."""

    words: tuple[str, ...]
    is_literal: bool = False
    """Whether these very words are meant, and not other forms of them."""


@dataclass(frozen=True, slots=True)
class Query:
    """All that a record has to be. `beginning` starts a word; `languages` are the app's, in which
    words have other forms; times are `since` inclusive, `until` exclusive."""

    wanted: tuple[Phrase, ...] = ()
    unwanted: tuple[Phrase, ...] = ()
    beginning: str | None = None
    tags: tuple[str, ...] = ()
    status: Status | None = None
    review: Review | None = None
    since: datetime | None = None
    until: datetime | None = None
    languages: tuple[str, ...] = (ALWAYS,)
    not_made: str | None = None
    """A fingerprint: final records that were made otherwise are meant, as far as that is known."""

    @property
    def digest(self) -> bytes:
        """Tells the query from others; for cursors."""
        document = json.dumps(asdict(self), default=str, ensure_ascii=False)
        return hashlib.sha256(document.encode()).digest()

    @property
    def needs_postings(self) -> bool:
        """Whether terms lead to what is asked for; without any, all records are looked at."""
        return self.not_made is not None or next(iter(self.clauses()), None) is not None

    def clauses(self) -> Iterator[frozenset[str]]:
        """Terms of the index that a record has at least one of, clause by clause. `beginning` is
        not among them: its terms depend on which words there are."""
        for word in (word for phrase in self.wanted for word in phrase.words):
            if not _is_common((word,), self.languages):
                yield self.stems(word)
        yield from (frozenset({f"tag~{key}"}) for key in self.tags)
        if self.status and self.status != "unreadable":
            yield frozenset({f"status~{self.status}"})
        if self.review and self.review != "none":
            yield frozenset({f"review~{self.review}"})

    def matches(self, record: CaptionRecord) -> bool:
        """Whether the record is what is asked for."""
        wording = Wording(record)
        uploaded = record.image.modified
        return (
            (self.since is None or uploaded >= self.since)
            and (self.until is None or uploaded < self.until)
            and (self.status is None or record.status == self.status)
            and (self.review is None or record.review == self.review)
            and (self.not_made is None or _is_made_otherwise(record, self.not_made))
            and all(clause & wording.terms for clause in self.clauses())
            and all(self._says(wording, phrase) for phrase in self.wanted)
            and not any(self._says(wording, phrase) for phrase in self.unwanted)
            and (self.beginning is None or self._begins(wording, self.beginning))
        )

    def stems(self, word: str) -> frozenset[str]:
        """The terms of a folded word, in each of the languages."""
        return frozenset(f"word~{stem(word, lang)}" for lang in (*self.languages, ALWAYS))

    def _says(self, wording: Wording, phrase: Phrase) -> bool:
        if len(phrase.words) > 1 or phrase.is_literal:
            return any(_holds(text, phrase.words) for text in wording.texts)
        return bool(self.stems(phrase.words[0]) & wording.terms)

    def _begins(self, wording: Wording, beginning: str) -> bool:
        if self.stems(beginning) & wording.terms:
            return True
        return any(word.startswith(beginning) for word in wording.indexed)


def parse(text: str, tags: Iterable[str], languages: tuple[str, ...]) -> Query:
    """The query of `q` and `tag`s; BadRequest where there is too much of it."""
    if len(text) > MOST_CHARACTERS:
        raise BadRequest("bad_q", f"q may have {MOST_CHARACTERS} characters.")
    phrases = [*_phrases(text)]
    beginning = _beginning(text)
    if beginning:
        phrases[-1:] = [(False, Phrase(rest))] if (rest := phrases[-1][1].words[:-1]) else []

    def tells(phrase: Phrase) -> bool:
        return phrase.is_literal or not _is_common(phrase.words, languages)

    wanted = tuple(phrase for minus, phrase in phrases if not minus and tells(phrase))
    unwanted = tuple(phrase for minus, phrase in phrases if minus and tells(phrase))
    keys = tuple(sorted({tag_key(tag) for tag in tags}))
    terms = sum(len(phrase.words) for phrase in [*wanted, *unwanted]) + len(keys)
    if terms > MOST_TERMS:
        raise BadRequest("bad_q", f"q and tag together may have {MOST_TERMS} words and tags.")
    return Query(
        wanted=wanted,
        unwanted=unwanted,
        beginning=None if _is_common((beginning or "",), languages) else beginning,
        tags=keys,
        languages=languages,
    )


def _phrases(text: str) -> Iterator[tuple[bool, Phrase]]:
    for minus, quoted, _, plain in _PART.findall(text):
        found = tuple(words(quoted or plain))
        if found:
            yield bool(minus), Phrase(found, is_literal=bool(quoted))


def _beginning(text: str) -> str | None:
    """The last word, where it may be one that is still being typed."""
    last = [*_PART.finditer(text)][-1:]
    if not last or last[0].end() < len(text) or last[0][1] or not last[0][4]:
        return None
    typed = [*words(last[0][4])][-1:]
    return typed[0] if typed and len(typed[0]) >= SHORTEST_BEGINNING else None


def _is_common(phrase: tuple[str, ...], languages: tuple[str, ...]) -> bool:
    return len(phrase) == 1 and any(is_common(phrase[0], language) for language in languages)


def _is_made_otherwise(record: CaptionRecord, fingerprint: str) -> bool:
    made = record.provenance.fingerprint
    return record.status in FINAL and made not in {None, fingerprint}


def _holds(text: tuple[str, ...], phrase: tuple[str, ...]) -> bool:
    starts = range(len(text) - len(phrase) + 1)
    return any(text[start : start + len(phrase)] == phrase for start in starts)
