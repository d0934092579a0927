"""Serves the page at `/` and the files that it loads. They hold no data and need no key."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from captioning.api.messages import Request, Response, problem

PAGE = "index.html"
FOLDER = Path(__file__).parent / "web"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Files with other suffixes are not served."""
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Pictures that are fetched with a key are `blob:` URLs. Trusted types are required and none is
defined, so the browser refuses to parse any text as markup."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}


def get_page(request: Request) -> Response:
    """GET /: the gallery."""
    return _answer(request, PAGE)


def get_file(request: Request) -> Response:
    """GET /web/{path}: one of the files. The name is looked up and never joined to a folder."""
    return _answer(request, request.path)


def _answer(request: Request, name: str) -> Response:
    found = _files().get(name)
    if found is None:
        return problem(404, "not_found", "The gallery has no such file.")
    file = found.packed if _takes_gzip(request) else found.plain
    headers = {**HEADERS, **file.headers}
    if request.has(file.headers["ETag"]):
        return Response(304, headers=headers)
    return Response(200, file.body, {"Content-Type": found.media_type, **headers})


@dataclass(frozen=True, slots=True)
class _Body:
    """The body of a response, and the headers that depend on it."""

    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _File:
    """A file, plain and compressed: the Functions host compresses nothing."""

    media_type: str
    plain: _Body
    packed: _Body


@cache
def _files() -> Mapping[str, _File]:
    """Every file by its name, read once."""
    found = {}
    for path in FOLDER.iterdir():
        if media_type := MEDIA_TYPES.get(path.suffix):
            body = path.read_bytes()
            etag = hashlib.sha256(body).hexdigest()[:32]
            packed = {"ETag": f'"{etag}-gzip"', "Content-Encoding": "gzip"}
            found[path.name] = _File(
                media_type,
                _Body(body, {"ETag": f'"{etag}"'}),
                _Body(gzip.compress(body, mtime=0), packed),
            )
    return found


def _takes_gzip(request: Request) -> bool:
    accepted = request.headers.get("accept-encoding", "")
    return re.search(r"\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", accepted) is not None
