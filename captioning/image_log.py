"""The app's log: one line of JSON for each image that a run has dealt with.

A line on logger `captioning.images` reads, in Application Insights, `parse_json(message)` of a row
in `traces`. Alerts and dashboards rest on its keys, all of which are always there:

event          "image"
path           of the blob
status         processing, deferred, captioned, rejected or failed
code           of the record's error, such as "throttled"; null without one
attempts       at this upload so far; null without an error
retry_at       when a deferred image is tried again, RFC 3339 in UTC; else null
seconds        that this run took
bytes, format  of the image; format null where it could not be told
vision, model  which services answered; null where none did
reused         whether the answers are those to another blob, of the same bytes or of a burst
input_tokens, cached_tokens, output_tokens, vision_calls, usd
               what the record says was paid; usd null where it is not priced

Nothing that is in the image is logged: no caption, tag or text, and no message that might quote
one. Everything but printable ASCII is escaped, so that a path cannot forge a line.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from captioning.domain.record import CaptionRecord

log = logging.getLogger("captioning.images")


def log_image(record: CaptionRecord, seconds: float) -> None:
    """Writes the line: as a warning where the image failed, or only its new caption did; else as
    information."""
    failed = record.status == "failed" or (record.status == "captioned" and record.error)
    level = logging.WARNING if failed else logging.INFO
    log.log(level, json.dumps(_fields(record, seconds)))


def _fields(record: CaptionRecord, seconds: float) -> dict[str, Any]:
    error, paid, made = record.error, record.usage, record.provenance
    retry_at = error.retry_at if error else None
    return {
        "event": "image",
        "path": record.path,
        "status": record.status,
        "code": error.code if error else None,
        "attempts": error.attempts if error else None,
        "retry_at": retry_at.isoformat() if retry_at else None,
        "seconds": round(seconds, 3),
        "bytes": record.image.bytes,
        "format": record.image.format,
        "vision": made.vision,
        "model": made.model,
        "reused": made.reused_from is not None,
        "input_tokens": paid.input_tokens,
        "cached_tokens": paid.cached_tokens,
        "output_tokens": paid.output_tokens,
        "vision_calls": paid.vision_calls,
        "usd": None if paid.usd is None else round(paid.usd, 6),
    }
