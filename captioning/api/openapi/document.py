"""The OpenAPI document, built once from the types and limits of the code, and served."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import Any

from captioning.api.messages import JSON, Request, Response
from captioning.api.openapi.operations import paths
from captioning.api.openapi.schemas import schemas

_ABOUT = """Captions, alt text and tags for every image in a storage container.

Errors are RFC 9457 problem details with a stable `code`. The Functions host answers some requests
before the app sees them, without a body: 401 where the key is missing or wrong, 404 (never 405) for
an unknown route and for a known one with another method, 400 for `%00` in the path, 414 for a
request line over 8,190 characters, 431 for headers over 32 KB."""
_KEY = "A function key, which the host checks."


def get_openapi(request: Request) -> Response:
    """GET /api/openapi.json: the document; 304 where the client has the present version."""
    request.query(frozenset())
    body, etag = _served()
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if request.has(etag):
        return Response(304, headers=headers)
    safe = {"Content-Type": JSON, "X-Content-Type-Options": "nosniff"}
    return Response(200, body, {**safe, **headers})


@cache
def document() -> dict[str, Any]:
    """The document, in OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Image captioning", "version": "1", "description": _ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths(),
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "key": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-functions-key",
                    "description": _KEY,
                },
                "code": {"type": "apiKey", "in": "query", "name": "code", "description": _KEY},
            },
        },
    }


@cache
def _served() -> tuple[bytes, str]:
    body = json.dumps(document(), separators=(",", ":")).encode()
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'
