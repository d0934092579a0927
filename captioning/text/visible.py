"""The visible part of a text: control, invisible and broken characters are removed."""

from __future__ import annotations

import re
import unicodedata

MOST = 4_000
"""Characters of a text that are read: all limits are below it, and some rules are slow beyond."""
JOINERS = "\u200c\u200d\ufe0e\ufe0f"
"""Invisible characters that are part of Persian words and of emoji."""
_ROW = re.compile(f"(\ufe0f\u200d|(?!\ufe0f\u200d)[{JOINERS}])[{JOINERS}]+")
"""More joiners in a row than any word or emoji has: they could hide a message."""
INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories: control, format, surrogate and private-use characters, line separators."""
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
"""Invisible characters of other categories: fillers, variation selectors, and what Unicode reserves
for such."""


def tidy(text: str) -> str:
    """The visible characters of the first MOST, in one line."""
    return " ".join(visible(text[:MOST], keep=JOINERS).split())


def visible(text: str, keep: str = "") -> str:
    """The text without control, invisible and broken characters, except those in `keep`; line
    breaks become spaces."""
    if text.isascii() and text.isprintable():
        return text.strip()
    shown = "".join(" " if char.isspace() else char for char in text if _seen(char, keep))
    return _ROW.sub(r"\1", shown).strip()


def has_words(text: str) -> bool:
    """Whether the text has a letter or a digit."""
    return any(char.isalnum() for char in text)


def _seen(char: str, keep: str) -> bool:
    if char.isspace() or char in keep:
        return True
    return unicodedata.category(char) not in INVISIBLE and not _BLANK.match(char)
