"""Plain requests, responses and ETags, which the handlers work with whatever the host is.

ETags of the tables are weak in form, `W/"datetime'2026-11-22T10%3A00%3A00Z'"`, but each names
exactly one version. The API sends them as strong ones, which If-Match needs, and accepts both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from captioning.domain.blobs import given_id, item_id
from captioning.errors import BadRequest

JSON, PROBLEM = "application/json", "application/problem+json"
HOST_PARAMETERS = frozenset({"code"})
"""Parameters of the host: a function key, which is never read, logged or copied."""
Choice = TypeVar("Choice", bound=str)


@dataclass(frozen=True, slots=True)
class Request:
    """A request; header names in lower case, `path` as the route gave it, `url` as it was sent."""

    url: str
    path: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)

    def blob_path(self) -> str:
        """The blob path of an item route. The host decodes everything but `%2F`."""
        return self.path.replace("%2F", "/").replace("%2f", "/")

    def item_id(self) -> str:
        """The id of the record that an item route names."""
        return item_id(self.blob_path())

    def given_id(self) -> str | None:
        """The id that an item route has in place of a path; None where it has a path."""
        return given_id(self.blob_path())

    def has(self, etag: str) -> bool:
        """Whether If-None-Match names this version."""
        return matches(self.headers.get("if-none-match", ""), etag)

    def query(self, known: frozenset[str], many: frozenset[str] = frozenset()) -> dict[str, str]:
        """The query's parameters; BadRequest names unknown and repeated ones. Those in `many` may
        be repeated and are not in the result: see `values`."""
        pairs = self._pairs()
        names = [name for name, _ in pairs]
        if unknown := sorted(set(names) - known - many):
            raise BadRequest(
                "unknown_parameter",
                f"Unknown parameter: {', '.join(unknown)}."
                f" Known: {', '.join(sorted(known | many)) or 'none'}.",
            )
        repeated = {name for name in names if names.count(name) > 1} - many
        if repeated:
            raise BadRequest("repeated_parameter", f"Repeated: {', '.join(sorted(repeated))}.")
        return {name: value for name, value in pairs if name not in many}

    def values(self, name: str) -> list[str]:
        """All values of a parameter, in their order."""
        return [value for given, value in self._pairs() if given == name]

    def _pairs(self) -> list[tuple[str, str]]:
        try:
            pairs = parse_qsl(urlsplit(self.url).query, keep_blank_values=True, errors="strict")
        except ValueError as error:
            raise BadRequest("bad_query", "The query is not valid UTF-8.") from error
        return [(name, value) for name, value in pairs if name not in HOST_PARAMETERS]


@dataclass(frozen=True, slots=True)
class Response:
    """A response; `headers` include the content type where there is a body."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_response(
    document: dict[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON response that caches must revalidate, and whose type browsers must not guess."""
    return _answer(document, status, JSON, headers or {})


def problem(
    status: int, code: str, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    """RFC 9457 problem details with a stable `code`."""
    document = {"status": status, "code": code, "detail": detail}
    return _answer(document, status, PROBLEM, headers or {})


def strong(etag: str) -> str:
    """The ETag as the API sends it."""
    return etag.removeprefix("W/")


def matches(header: str, etag: str) -> bool:
    """Whether a list of ETags in If-Match or If-None-Match names this version; `*` names any."""
    given = {strong(tag.strip()) for tag in header.split(",")}
    return header.strip() == "*" or strong(etag) in given


def choice(given: Mapping[str, str], name: str, choices: Iterable[Choice]) -> Choice | None:
    """A parameter with one of these values; None where it is not given, BadRequest for others."""
    known = tuple(choices)
    for value in known:
        if given.get(name) == value:
            return value
    if name in given:
        raise BadRequest(f"bad_{name}", f"{name} must be one of {', '.join(known)}.")
    return None


def whole_number(given: Mapping[str, str], name: str, default: int, most: int) -> int:
    """A parameter that is a number from 1 to `most`, in ASCII digits."""
    value = given.get(name, str(default))
    is_number = value.isascii() and value.isdigit() and len(value) <= len(str(most))
    return in_range(name, int(value) if is_number else None, most)


def in_range(name: str, number: int | None, most: int) -> int:
    """The number; BadRequest where it is none, or not from 1 to `most`."""
    if number is None or not 1 <= number <= most:
        raise BadRequest(f"bad_{name}", f"{name} must be a whole number from 1 to {most}.")
    return number


def _answer(
    document: dict[str, Any], status: int, media_type: str, headers: Mapping[str, str]
) -> Response:
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    safe = {"Content-Type": media_type, "Cache-Control": "no-cache, private"}
    return Response(status, body, {**safe, "X-Content-Type-Options": "nosniff", **headers})
