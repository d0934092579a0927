"""Makes captioning/support/data/broader_terms.tsv from WordNet 3.0 (Debian: `wordnet-base`):
`python scripts/make_broader_terms.py /usr/share/wordnet`.

It keeps the concepts in picture_words.txt, those of the embedded tagger's labels, and those of
nouns that are mostly used for visible things; and their broader concepts, unless too general.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "captioning/support/data/broader_terms.tsv"
LABELS = ROOT / "captioning/embedded/providers/model/imagenet1k-labels.json"
PICTURE_WORDS = Path(__file__).parent / "picture_words.txt"
TOO_GENERAL = Path(__file__).parent / "too_general.txt"
_FILES = (
    "Tops act animal artifact attribute body cognition communication event feeling food group "
    "location motive object person phenomenon plant possession process quantity relation shape "
    "state substance time"
)
FILES = dict(enumerate(_FILES.split(), start=3))
"""WordNet's lexicographer files of nouns."""
THINGS = {"animal", "artifact", "body", "food", "object", "person", "phenomenon", "plant"}
VISIBLE = THINGS | {"act", "communication", "event", "group", "location", "substance", "possession"}
MOST_SENSES = 3
HEADER = """\
# Made by scripts/make_broader_terms.py from WordNet 3.0; see wordnet-licence.txt.
# words of a concept | broader concepts | what it is a part of
# `crane#2`: another concept of that first word. `*`: mostly no noun; `~`: mostly not this concept.
"""


@dataclass
class Concept:
    """A synset."""

    words: list[str]
    file: str
    broader: list[str] = field(default_factory=list)
    wholes: list[str] = field(default_factory=list)


class WordNet:
    """The nouns, and how often words occur in each sense."""

    def __init__(self, folder: Path) -> None:
        self.concepts: dict[str, Concept] = {}
        self.senses: dict[str, list[str]] = {}
        self.noun_counts: dict[str, Counter[int]] = defaultdict(Counter)
        self.all_counts: Counter[str] = Counter()
        for line in _lines(folder / "data.noun"):
            self._read_concept(line.split(" | ")[0].split())
        for line in _lines(folder / "index.noun"):
            word, *rest = line.split()
            self.senses[word] = rest[-int(rest[1]) :]
        for line in (folder / "cntlist.rev").read_text("ascii").splitlines():
            key, sense, count = line.split()
            word, _, kind = key.partition("%")
            self.all_counts[word] += int(count)
            if kind[0] == "1":
                self.noun_counts[word][int(sense)] += int(count)

    def _read_concept(self, fields: list[str]) -> None:
        offset, file, count = fields[0], FILES[int(fields[1])], int(fields[3], 16)
        concept = self.concepts.setdefault(offset, Concept([], file))
        concept.words, concept.file = fields[4 : 4 + 2 * count : 2], file
        pointers = fields[5 + 2 * count :]
        for kind, target, part in zip(pointers[::4], pointers[1::4], pointers[2::4], strict=False):
            if part == "n" and kind in {"@", "@i"}:
                concept.broader.append(target)
            elif part == "n" and kind == "#p":
                concept.wholes.append(target)

    def count(self, word: str, offset: str) -> int:
        """How often the word occurs in this sense."""
        return self.noun_counts[word][self.senses[word].index(offset) + 1]


def main(folder: Path) -> None:
    wordnet = WordNet(folder)
    chosen = _chosen(wordnet)
    general = set(_words_of(TOO_GENERAL))
    too_general = {o for o, c in wordnet.concepts.items() if c.words[0].lower() in general}
    kept = _with_broader(wordnet, chosen, too_general)
    rows = _rows(wordnet, kept, {w.partition(":")[0] for w in _words_of(PICTURE_WORDS)})
    TABLE.write_text(HEADER + "".join(f"{row}\n" for row in rows), "utf-8")


def _chosen(wordnet: WordNet) -> set[str]:
    chosen = {entry["wnid"][1:] for entry in json.loads(LABELS.read_text("utf-8"))["labels"]}
    for entry in _words_of(PICTURE_WORDS):
        word, _, file = entry.partition(":")
        chosen.update(_senses_in_pictures(wordnet, word, {file} if file else VISIBLE))
    for word, counts in wordnet.noun_counts.items():
        for number, count in counts.items():
            offset = wordnet.senses.get(word, [])[number - 1 : number]
            is_common = 2 * count >= wordnet.all_counts[word]
            if offset and is_common and wordnet.concepts[offset[0]].file in THINGS:
                chosen.update(offset)
    return chosen


def _senses_in_pictures(wordnet: WordNet, word: str, files: set[str]) -> list[str]:
    """The first visible sense, and others that are about as common."""
    visible = [o for o in wordnet.senses.get(word, []) if wordnet.concepts[o].file in files]
    most = max((wordnet.count(word, offset) for offset in visible), default=0)
    common = [o for o in visible[1:] if wordnet.count(word, o) >= max(3, most / 4)]
    return [*visible[:1], *common][:MOST_SENSES]


def _with_broader(wordnet: WordNet, chosen: set[str], general: set[str]) -> dict[str, list[str]]:
    """The concepts to keep, each with the nearest broader ones that are kept, too."""
    below: Counter[str] = Counter()
    for offset in _closure(wordnet, chosen, general):
        below.update(set(wordnet.concepts[offset].broader))
    kept = {o for o in _closure(wordnet, chosen, general) if o in chosen or below[o] > 1}
    return {o: sorted(_nearest(wordnet, o, kept)) for o in kept}


def _closure(wordnet: WordNet, chosen: set[str], general: set[str]) -> set[str]:
    found: set[str] = set()
    waiting = [offset for offset in chosen if offset not in general]
    while waiting:
        offset = waiting.pop()
        if offset not in found:
            found.add(offset)
            waiting += [o for o in wordnet.concepts[offset].broader if o not in general]
    return found


def _nearest(wordnet: WordNet, offset: str, kept: set[str]) -> set[str]:
    found: set[str] = set()
    for broader in wordnet.concepts[offset].broader:
        found |= {broader} if broader in kept else _nearest(wordnet, broader, kept)
    return found


def _rows(wordnet: WordNet, kept: dict[str, list[str]], listed: set[str]) -> list[str]:
    words = {o: _words(wordnet, o, kept, listed) for o in sorted(kept)}
    names: dict[str, str] = {}
    taken: Counter[str] = Counter()
    for offset, those in words.items():
        first = (those or wordnet.concepts[offset].words)[0].replace("_", " ").rstrip("*~")
        taken[first] += 1
        names[offset] = first if taken[first] == 1 else f"{first}#{taken[first]}"
    rows = []
    for offset, those in words.items():
        mark = those[0][len(those[0].rstrip("*~")) :] if those else "-"
        listed_words = ",".join([names[offset] + mark, *(w.replace("_", " ") for w in those[1:])])
        wholes = [names[o] for o in wordnet.concepts[offset].wholes if o in kept]
        broader = ",".join(names[o] for o in kept[offset])
        rows.append(f"{listed_words}\t{broader}\t{','.join(wholes)}".rstrip())
    return sorted(rows)


def _words(
    wordnet: WordNet, offset: str, kept: dict[str, list[str]], listed: set[str]
) -> list[str]:
    """The words that are listed or mostly mean this concept; marked where they mostly do not."""
    concept, found = wordnet.concepts[offset], []
    for spelt in concept.words:
        word = spelt.lower()
        latin = spelt[0].isupper() and "_" in spelt and concept.file in {"animal", "plant"}
        total = wordnet.all_counts[word]
        nouns = sum(wordnet.noun_counts[word].values())
        here = wordnet.count(word, offset)
        sense = wordnet.senses[word].index(offset)
        is_common = sense == 0 or 4 * here >= max(nouns, 1)
        if latin or not (word in listed or is_common):
            continue
        mark = "*" if 2 * nouns < total else ""
        seen = sum(wordnet.count(word, o) for o in wordnet.senses[word] if o in kept)
        if word not in listed and 2 * seen < nouns:
            mark = "~"
        found.append(word + mark)
    return found


def _lines(file: Path) -> Iterable[str]:
    return (line for line in file.read_text("latin-1").splitlines() if not line.startswith(" "))


def _words_of(file: Path) -> list[str]:
    lines = file.read_text("utf-8").splitlines()
    return [word for line in lines if not line.startswith("#") for word in line.split()]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
