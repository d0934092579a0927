"""Lists of regular expressions, kept in text files: a line each, in sections, with comments."""

from __future__ import annotations

import re
from pathlib import Path


def patterns(file_name: str) -> dict[str, str]:
    """By section of the file beside this one, an expression for any of its lines."""
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in Path(__file__).with_name(file_name).read_text("utf-8").splitlines():
        if line.startswith("["):
            lines = sections.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            lines.append(line)
    return {name: f"(?:{'|'.join(found)})" for name, found in sections.items()}


def compiled(expression: str) -> re.Pattern[str]:
    """The expression, without regard to case."""
    return re.compile(expression, re.IGNORECASE)
