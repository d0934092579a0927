"""The gallery's own files: the page at `/` and what it loads. They hold no data and need no key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from captioning.http_message import Request, Response, problem

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
"""`blob:` are pictures fetched with a key. No text can become markup: no script may try."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def get_page(request: Request) -> Response:
    """GET /: the gallery."""
    return _answer(request, PAGE)


def get_file(request: Request) -> Response:
    """GET /web/{path}: one of its files, by a name that is looked up and never joined to a folder."""
    return _answer(request, request.path)


def _answer(request: Request, name: str) -> Response:
    found = _files().get(name)
    if found is None:
        return problem(404, "not_found", "The gallery has no such file.")
    body, media_type, etag = found
    headers = {**HEADERS, "ETag": etag}
    if request.has(etag):
        return Response(304, headers=headers)
    return Response(200, body, {"Content-Type": media_type, **headers})


@cache
def _files() -> Mapping[str, tuple[bytes, str, str]]:
    """Content, media type and ETag of every file by its name, read once."""
    found = {}
    for file in FOLDER.iterdir():
        if media_type := MEDIA_TYPES.get(file.suffix):
            body = file.read_bytes()
            found[file.name] = body, media_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return found
