"""Cursors: where a page of a search ends, for one search only.

Opaque to clients. A checksum over position and query shows what was altered or belongs to another
search; it is no secret, as a position leads to nothing that its query does not ask for.
"""

from __future__ import annotations

import base64
import hashlib
import re

from captioning.errors import BadRequest
from captioning.search.places import END
from captioning.search.query import Query

_POSITION = re.compile(r"(\d{14})(?:-([0-9a-f]{64}))?(~?)")
_CHECKSUM = 8
_LENGTH = 6 + 32 + 1 + _CHECKSUM


def encode(position: str, query: Query) -> str:
    """The cursor for a position of this query's pages."""
    return _text(_bytes(position), query)


def decode(cursor: str, query: Query) -> str:
    """The position; BadRequest where the cursor is not one of this query's."""
    try:
        raw = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
    except ValueError:
        raw = b""
    if len(raw) == _LENGTH and _text(raw[:-_CHECKSUM], query) == cursor:
        position = f"{int.from_bytes(raw[:6]):014d}-{raw[6:38].hex()}{END if raw[38] else ''}"
        if _POSITION.fullmatch(position):
            return position
    raise BadRequest("bad_cursor", "The cursor is not one of this search's. Start without it.")


def _bytes(position: str) -> bytes:
    found = _POSITION.fullmatch(position)
    if found is None:
        raise ValueError("no position of a page")
    down, identity, behind = found.groups()
    return int(down).to_bytes(6) + bytes.fromhex(identity or "0" * 64) + bytes([bool(behind)])


def _text(raw: bytes, query: Query) -> str:
    checksum = hashlib.sha256(raw + query.digest).digest()[:_CHECKSUM]
    return base64.urlsafe_b64encode(raw + checksum).decode()
