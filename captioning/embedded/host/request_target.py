"""A request line's target, read the way the real host's server reads it (host/README.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
ESCAPES_BUT_SLASH = re.compile(r"(?:%(?!2[Ff])[0-9A-Fa-f]{2})+")
NOT_IN_A_PATH = re.compile(r"%(?![0-9A-Fa-f]{2})|[^%A-Za-z0-9/._~!$&'()*+,;=:@-]+")


class BadTarget(ValueError):
    """The server refuses the target (400)."""


@dataclass(frozen=True)
class Target:
    """`path` is decoded once, without dot segments; `query` is as sent, with its `?`."""

    path: str
    query: str

    @property
    def url(self) -> str:
        """Path and query as a function sees them in `req.url`."""
        path = NOT_IN_A_PATH.sub(lambda found: quote(found[0], safe=""), self.path)
        return path + self.query

    @property
    def params(self) -> dict[str, str]:
        """`req.params`: empty values dropped, repeated names (ignoring case) joined by a comma."""
        values: dict[str, list[str]] = {}
        names: dict[str, str] = {}
        for pair in self.query[1:].split("&"):
            raw_name, _, raw_value = pair.partition("=")
            name, value = _decode_query(raw_name), _decode_query(raw_value)
            if value:
                key = names.setdefault(name.lower(), name)
                values.setdefault(key, []).append(value)
        return {name: ",".join(parts) for name, parts in values.items()}


def parse_target(raw: str) -> Target:
    """The target of a request; absolute ones (`GET http://host/path`) are taken too."""
    path, mark, query = raw.partition("?")
    if not path.startswith("/"):
        path = urlsplit(path).path or "/"
    path = ESCAPES_BUT_SLASH.sub(_decode_run, path)
    if "\0" in path:
        raise BadTarget
    return Target(_without_dots(path), mark + query)


def _decode_query(text: str) -> str:
    return ESCAPES.sub(_decode_run, text.replace("+", " "))


def _decode_run(match: re.Match[str]) -> str:
    """A run of `%XX` as text; bytes that are not UTF-8 stay as sent."""
    run = match[0]
    text = bytes.fromhex(run.replace("%", "")).decode("utf-8", "surrogateescape")
    decoded, position = [], 0
    for character in text:
        invalid = "\udc80" <= character <= "\udcff"
        decoded.append(run[position : position + 3] if invalid else character)
        position += 3 if invalid else 3 * len(character.encode())
    return "".join(decoded)


def _without_dots(path: str) -> str:
    """RFC 3986's removal of `.` and `..`; double and trailing slashes stay."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for position, segment in enumerate(segments, start=1):
        if segment not in {".", ".."}:
            kept.append(segment)
            continue
        if segment == ".." and kept:
            kept.pop()
        if position == len(segments):
            kept.append("")
    return "/" + "/".join(kept)
