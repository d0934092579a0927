"""The JSON object in a model's text, however it is wrapped, renamed or nearly JSON.

A draft inside the model's thinking is no answer, nor is the example of the form. Strict JSON comes
first; what is nearly JSON is read by `json_repair`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import json_repair

from captioning.captioner.prompt import FIELDS, placeholder
from captioning.domain.record import CaptionText
from captioning.text import visible

_MAX_OBJECTS = 20
_DEEPEST = 3
"""Objects that an answer may be inside of."""
_THOUGHT = re.compile(
    r"</(?:think|thinking|thought|reasoning)>|\[/THINK\]|<\|channel\|>\s*final\s*<\|message\|>"
    r"|<\|end_of_thought\|>|◁/think▷",
    re.IGNORECASE,
)
"""The end of what a model thinks before it answers."""
_THINKING = re.compile(r"<(?:think|thinking|thought|reasoning)>|\[THINK\]|◁think▷", re.IGNORECASE)
_NAMES = {
    "caption": ("caption", "captions", "short_caption", "title"),
    "alt_text": ("alt_text", "alttext", "alt", "alternative_text", "alternativetext"),
    "description": ("description", "long_description", "longdescription", "details"),
}
_LANGUAGES = {
    "english": "en",
    "german": "de",
    "deutsch": "de",
    "french": "fr",
    "français": "fr",
    "francais": "fr",
    "spanish": "es",
    "español": "es",
    "italian": "it",
    "italiano": "it",
    "portuguese": "pt",
    "português": "pt",
    "dutch": "nl",
    "nederlands": "nl",
    "polish": "pl",
    "polski": "pl",
    "russian": "ru",
    "русский": "ru",
    "japanese": "ja",
    "日本語": "ja",
    "chinese": "zh",
    "中文": "zh",
    "korean": "ko",
    "한국어": "ko",
    "turkish": "tr",
    "arabic": "ar",
    "swedish": "sv",
    "danish": "da",
    "norwegian": "no",
    "finnish": "fi",
    "czech": "cs",
    "ukrainian": "uk",
}
"""Names that models use as a key in place of the tag that was asked for."""


def read_texts(said: str, languages: tuple[str, ...]) -> tuple[bool, dict[str, CaptionText]] | None:
    """Whether the picture is decorative, and the texts by language, tidied; None if there is no
    text. Of several objects the one with the most languages counts, the last of equals."""
    answer = _answered(said)
    found = [read for each in _objects(answer) if (read := _read(each, languages))]
    if not found and _is_whole(answer):
        repaired = json_repair.loads(answer[answer.find("{") :], skip_json_loads=True)
        candidates = repaired if isinstance(repaired, list) else [repaired]
        found = [read for each in candidates if (read := _read(each, languages))]
    return max(reversed(found), key=lambda read: len(read[1]), default=None)


def _answered(said: str) -> str:
    """What was said behind the last thought, and before one that has no end."""
    answer = _THOUGHT.split(said)[-1]
    unended = _THINKING.search(answer)
    return answer[: unended.start()] if unended else answer


def _is_whole(text: str) -> bool:
    """Whether there is something like an object, and its end: half of one is no answer."""
    end = text.rfind("}")
    return 0 <= text.find("{") < end and '"' not in text[end:]


def _read(found: Any, languages: tuple[str, ...]) -> tuple[bool, dict[str, CaptionText]] | None:
    form = _form(found, _DEEPEST)
    if form is None:
        return None
    texts, decorative = form
    by_language = _by_language(texts, languages)
    read = {name: by_language[name] for name in languages if name in by_language}
    return (decorative, read) if read else None


def _form(found: Any, depth: int) -> tuple[dict[str, Any], bool] | None:
    """The texts in an object, and whether it says that the picture is decorative; it may be inside
    another one."""
    if not isinstance(found, dict) or not depth:
        return None
    named = {_key(name): value for name, value in found.items()}
    decorative = _is_true(named.get("decorative"))
    texts = named.get("texts", named.get("text"))
    if isinstance(texts, list):
        texts = {str(_lower(each).get("language", "")): each for each in texts}
    if isinstance(texts, dict):
        return texts, decorative
    if _text(found):
        return {"": found}, decorative
    inner = (_form(value, depth - 1) for value in found.values())
    return next(filter(None, inner), None)


def _by_language(texts: dict[str, Any], languages: tuple[str, ...]) -> dict[str, CaptionText]:
    if len(languages) == 1 and (text := _text(texts)):
        return {languages[0]: text}
    read: dict[str, CaptionText] = {}
    for key, value in texts.items():
        language = _language(str(key), languages)
        if language and language not in read and (text := _text(value)):
            read[language] = text
    return read


def _language(key: str, languages: tuple[str, ...]) -> str | None:
    """The requested language that a key names: by its tag, another region's, or its name."""
    if not key and len(languages) == 1:
        return languages[0]
    tag = key.strip().casefold().replace("_", "-")
    tag = _LANGUAGES.get(tag, tag)
    same = (name for name in languages if name.casefold() == tag)
    primary = (
        name for name in languages if name.partition("-")[0].casefold() == tag.partition("-")[0]
    )
    return next(same, None) or next(primary, None)


def _text(value: Any) -> CaptionText | None:
    """The texts in one language; what is missing or null is empty. None where there is none but
    those of the form itself."""
    named = _lower(value)
    said = {
        field: next((text for name in _NAMES[field] if (text := _string(named.get(name)))), "")
        for field in FIELDS
    }
    shown = {
        name: "" if text == placeholder(name) else visible.tidy(text) for name, text in said.items()
    }
    return CaptionText(**shown) if any(shown.values()) else None


def _lower(value: Any) -> dict[str, Any]:
    return {_key(name): each for name, each in value.items()} if isinstance(value, dict) else {}


def _key(name: object) -> str:
    return str(name).strip().casefold().replace("-", "_").replace(" ", "_")


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return " ".join(each for each in value if isinstance(each, str))
    return ""


def _is_true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.strip().casefold() == "true")


def _objects(text: str) -> Iterator[Any]:
    """The JSON objects in the text in their order, without those inside another one."""
    decoder = json.JSONDecoder(strict=False)  # line breaks may stand in strings
    start = text.find("{")
    for _ in range(_MAX_OBJECTS):
        if start < 0:
            return
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            yield value
        start = text.find("{", end)
