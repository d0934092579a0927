"""Plain requests, responses and ETags: what the API works on, whichever host carries them.

ETags of the tables are weak in form, `W/"datetime'2026-11-22T10%3A00%3A00Z'"`, and name one version
each: they go out as strong ones, which If-Match needs, and come back in either form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from captioning.domain.blobs import given_id, item_id
from captioning.errors import BadRequest

ANY = "*"


def strong(etag: str) -> str:
    """The ETag as it goes out."""
    return etag.removeprefix("W/")


def matches(header: str, etag: str) -> bool:
    """Whether a list of ETags in If-Match or If-None-Match names this version; `*` names any."""
    given = {strong(tag.strip()) for tag in header.split(",")}
    return header.strip() == ANY or strong(etag) in given


JSON = "application/json"


PROBLEM = "application/problem+json"


HOST_PARAMETERS = frozenset({"code"})
"""The host's own: a function key. Never read, logged or copied."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request; header names in lower case, `path` as the route gave it, `url` as it was sent."""

    url: str
    path: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)

    def blob_path(self) -> str:
        """The blob path of an item route. The host decodes all but `%2F`."""
        return self.path.replace("%2F", "/").replace("%2f", "/")

    def item_id(self) -> str:
        """The id of the record that an item route names."""
        return item_id(self.blob_path())

    def given_id(self) -> str | None:
        """The id that an item route has in the path's place; None where it has a path."""
        return given_id(self.blob_path())

    def has(self, etag: str) -> bool:
        """Whether If-None-Match names this version."""
        return matches(self.headers.get("if-none-match", ""), etag)

    def query(self, known: frozenset[str], many: frozenset[str] = frozenset()) -> dict[str, str]:
        """The query's parameters; BadRequest names unknown and repeated ones. Those that `many`
        names may come many times: `values` has them."""
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
            raise BadRequest("repeated_parameter", f"Given twice: {', '.join(sorted(repeated))}.")
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
    """JSON that no cache keeps and no browser sniffs."""
    return _answer(document, status, JSON, headers or {})


def problem(status: int, code: str, detail: str) -> Response:
    """RFC 9457 problem details with a stable `code`."""
    return _answer({"status": status, "code": code, "detail": detail}, status, PROBLEM, {})


def _answer(
    document: dict[str, Any], status: int, media_type: str, headers: Mapping[str, str]
) -> Response:
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    safe = {"Content-Type": media_type, "Cache-Control": "no-cache, private"}
    return Response(status, body, {**safe, "X-Content-Type-Options": "nosniff", **headers})
