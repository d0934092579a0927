"""The evidence as a caption model gets it: quoted JSON data that cannot end its own quotation."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from captioning.captioner.rules import visible
from captioning.domain.record import DetectedObject, ImageAnalysis, Tag, TextLine

OPEN, CLOSE = "<evidence>", "</evidence>"
MAX_TEXT = 4_000
"""Characters of text read in the picture that are passed on."""
MAX_ITEMS = 50
MAX_NAME = 100
MAX_CAPTIONS = 10
MAX_CAPTION = 300
# "<", ">" and "&" are written as JSON escapes: no text can close the tags around it.
_ESCAPES = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&"})


def quoted(evidence: ImageAnalysis) -> str:
    """The evidence as delimited JSON."""
    lines, truncated = _lines(evidence.text)
    facts: dict[str, Any] = {
        "tags": _named(evidence.tags),
        "objects": _named(evidence.objects),
        "brands": _named(evidence.brands),
        "people": len(evidence.people),
        "captions": _captions(evidence.captions),
        "text": lines,
        "text_truncated": truncated,
    }
    known = {name: value for name, value in facts.items() if value}
    data = json.dumps(known, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPES)
    return f"{OPEN}{data}{CLOSE}"


def _named(items: Iterable[Tag | DetectedObject]) -> list[dict[str, Any]]:
    named = [
        {"name": visible(item.name)[:MAX_NAME], "confidence": round(item.confidence, 2)}
        for item in items
    ]
    return named[:MAX_ITEMS]


def _captions(captions: Iterable[str]) -> list[str]:
    return [visible(caption)[:MAX_CAPTION] for caption in captions][:MAX_CAPTIONS]


def _lines(text: Iterable[TextLine]) -> tuple[list[str], bool]:
    """The lines that fit into MAX_TEXT characters, and whether some did not."""
    lines: list[str] = []
    left = MAX_TEXT
    for line in filter(None, (visible(line.text) for line in text)):
        if left <= 0:
            return lines, True
        lines.append(line[:left])
        left -= len(line)
    return lines, left < 0
