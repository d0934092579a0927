"""A controlled vocabulary of tags: one name for each thing, and a stop list.

    # one tag per line, its aliases after a colon
    dog: dogs, puppy, canine
    beach
    !indoor, outdoor
    *

`!` drops tags; a line with `*` alone drops all tags that are not listed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from captioning.domain.record import CaptionRecord, Tag
from captioning.text.words import tag_key

LONGEST = 100
"""Characters of a name."""
_SHOWN = 3
"""Bad lines that are reported at a time."""


@dataclass(frozen=True)
class Vocabulary:
    """Maps tags to their names; spellings that a search does not distinguish are one tag.

    `digest` changes with what the vocabulary does to tags, and is None without a vocabulary.
    """

    names: dict[str, str] = field(default_factory=dict)
    """Names by `tag_key` of the tag and of each alias."""
    stopped: frozenset[str] = frozenset()
    only_these: bool = False

    @cached_property
    def digest(self) -> str | None:
        """A hash of its meaning: comments and the order of lines do not count."""
        if not self.names and not self.stopped:
            return None
        meaning = [sorted(self.names.items()), sorted(self.stopped), self.only_these]
        return hashlib.sha256(json.dumps(meaning).encode()).hexdigest()[:16]

    def normalised(self, tags: tuple[Tag, ...]) -> tuple[Tag, ...]:
        """The tags under their names, each once with its highest confidence, highest first."""
        if self.digest is None:
            return tags
        best: dict[str, Tag] = {}
        for tag in tags:
            key = tag_key(tag.name)
            is_listed = key in self.names
            if key in self.stopped or (self.only_these and not is_listed):
                continue
            name = self.names.get(key, tag.name)
            known = best.get(tag_key(name))
            if known is None or known.confidence < tag.confidence:
                best[tag_key(name)] = Tag(known.name if known else name, tag.confidence)
        return tuple(sorted(best.values(), key=lambda tag: -tag.confidence))

    def beginning(self, beginning: str) -> list[str]:
        """Its names with this prefix, sorted alphabetically."""
        key = tag_key(beginning)
        return [name for name in self._listed if tag_key(name).startswith(key)]

    @cached_property
    def _listed(self) -> list[str]:
        return sorted({*self.names.values()}, key=tag_key)


NO_VOCABULARY = Vocabulary()
"""Leaves tags as they are."""


def parse(text: str) -> Vocabulary:
    """The vocabulary in a file's text; ValueError says which lines are wrong and what to do, and
    does not quote them."""
    lines = _Lines()
    for number, line in enumerate(text.splitlines(), 1):
        lines.read(number, line.strip())
    if lines.problems:
        more = len(lines.problems) - _SHOWN
        shown = "; ".join(lines.problems[:_SHOWN])
        raise ValueError(f"{shown}; and {more} more" if more > 0 else shown)
    if not lines.names and not lines.stopped:
        raise ValueError("names no tag: write one per line, or leave the setting empty")
    return Vocabulary(lines.names, frozenset(lines.stopped), lines.only_these)


def has_other_tags(record: CaptionRecord, fingerprint: str, vocabulary: str | None) -> bool:
    """Whether its tags are of another vocabulary and can be made again at no cost, from the answers
    that are saved.

    That excludes records of other settings and those with a failed re-caption, for which a run
    would pay, and texts that a person reverted to.
    """
    made = record.provenance
    is_known = made.fingerprint == fingerprint and record.error is None and not made.reverted
    return record.status == "captioned" and is_known and made.vocabulary != vocabulary


class _Lines:
    """The meaning of the lines that were read so far."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.stopped: set[str] = set()
        self.only_these = False
        self.problems: list[str] = []
        self._seen: dict[str, int] = {}

    def read(self, number: int, line: str) -> None:
        """Adds a line, or a problem if it is wrong."""
        if not line or line.startswith("#"):
            return
        if line == "*":
            self.only_these = True
        elif line.startswith("!"):
            self.stopped.update(tag_key(name) for name in self._named(number, line[1:]))
        else:
            tag, colon, others = line.partition(":")
            for name in self._named(number, f"{tag},{others}" if colon else tag):
                self.names[tag_key(name)] = " ".join(tag.split())

    def _named(self, number: int, listed: str) -> Iterator[str]:
        """The names in a comma-separated list; none if one of them is wrong."""
        names = [name.strip() for name in listed.split(",")]
        problem = _problem(names) or self._repeated(number, names)
        if problem:
            self.problems.append(f"line {number} {problem}")
            return
        yield from names

    def _repeated(self, number: int, names: Iterable[str]) -> str | None:
        for name in names:
            line = self._seen.setdefault(tag_key(name), number)
            if line != number:
                return f"repeats a name of line {line}: keep one of them"
        return None


def _problem(names: list[str]) -> str | None:
    if not all(names):
        return "has an empty name: write `tag: alias, alias`, `tag` or `!tag, tag`"
    if any(len(name) > LONGEST for name in names):
        return f"has a name of more than {LONGEST} characters: shorten it"
    if any(not name.isprintable() for name in names):
        return "has a character that cannot be seen: remove it"
    if any(name[0] in "!*#" or ":" in name for name in names):
        return "has `!`, `*`, `#` or `:` where a name should be: remove it"
    return None
