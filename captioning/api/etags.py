"""ETags of HTTP. The tables' are weak in form, `W/"datetime'2026-11-22T10%3A00%3A00Z'"`, and name
one version each: they go out as strong ones, which If-Match needs, and come back in either form."""

from __future__ import annotations

ANY = "*"


def strong(etag: str) -> str:
    """The ETag as it goes out."""
    return etag.removeprefix("W/")


def matches(header: str, etag: str) -> bool:
    """Whether a list of ETags in If-Match or If-None-Match names this version; `*` names any."""
    given = {strong(tag.strip()) for tag in header.split(",")}
    return header.strip() == ANY or strong(etag) in given
