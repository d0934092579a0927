"""Settings that name a text file: what is in it is checked at the start, not at the first image."""

from __future__ import annotations

import re
from pathlib import Path

from captioning.captioner.rules import has_words
from captioning.config.environment import Environment
from captioning.records.tag_vocabulary import parse

MOST_PROMPT_BYTES = 20_000
"""Some 5,000 tokens, which are paid for with each picture."""
MOST_VOCABULARY_BYTES = 1_000_000
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def prompt_file(env: Environment) -> Path | None:
    """The file of CAPTION_PROMPT_FILE: visible text for a model. It has no placeholders; braces
    are sent as they are."""
    name = "CAPTION_PROMPT_FILE"
    text = _text(env, name, MOST_PROMPT_BYTES)
    if text is not None and not has_words(text):
        env.problem(name, "holds no text: write the instructions, or leave the setting empty")
    return Path(env.text(name)) if env.text(name) else None


def vocabulary_file(env: Environment) -> Path | None:
    """The file of TAG_VOCABULARY_FILE: a vocabulary of tags."""
    name = "TAG_VOCABULARY_FILE"
    text = _text(env, name, MOST_VOCABULARY_BYTES)
    if text is not None:
        try:
            parse(text)
        except ValueError as error:
            env.problem(name, str(error))
    return Path(env.text(name)) if env.text(name) else None


def _text(env: Environment, name: str, most: int) -> str | None:
    """The file's text; None where none is named or something is wrong with it."""
    if not env.text(name):
        return None
    path = Path(env.text(name))
    try:
        if not path.is_file():
            env.problem(name, "names no file: give its path from the app's folder, or a full one")
            return None
        if path.stat().st_size > most:
            env.problem(name, f"names a file of more than {most:,} bytes: shorten it")
            return None
        data = path.read_bytes()
    except (OSError, ValueError):
        env.problem(name, "names a file that cannot be read: look at its permissions")
        return None
    return _decoded(env, name, data)


def _decoded(env: Environment, name: str, data: bytes) -> str | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        env.problem(name, f"is not UTF-8 text (line {line}): save it as UTF-8")
        return None
    if found := _CONTROL.search(text):
        line = text.count("\n", 0, found.start()) + 1
        env.problem(
            name, f"has a control character (U+{ord(found[0]):04X}, line {line}): remove it"
        )
        return None
    return text
