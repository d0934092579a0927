"""Texts in which a model declines, or says that it sees no picture, in place of a description.

A server that forces a form on the answer leaves the model no other place to say so. What models
write is in `refusal_texts.txt`.
"""

from __future__ import annotations

import re
from typing import Literal

from captioning.captioner.patterns import compiled, patterns

Refusing = Literal["declines", "sees_nothing"]

_PATTERNS = patterns("refusal_texts.txt")
_DECLINING, _BLIND = (
    compiled(rf"\W{{0,3}}{_PATTERNS[name]}") for name in ("declines", "sees_nothing")
)
_SENTENCES = re.compile(r"(?<=[.!?。！？])\s*")
_READ = 3
"""Sentences that are looked at: who declines says so at once."""


def refusing(text: str) -> Refusing | None:
    """Whether a text declines to describe the picture, or says that there is none to see."""
    sentences = _SENTENCES.split(text, maxsplit=_READ)[:_READ]
    if any(_BLIND.match(sentence) for sentence in sentences):
        return "sees_nothing"
    return "declines" if any(_DECLINING.match(sentence) for sentence in sentences) else None
