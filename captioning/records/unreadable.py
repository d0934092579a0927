"""Records that this version cannot read, because a newer one, or another program, wrote them.

They are listed, so that people see them, and can be deleted. Nothing else writes to them: whoever
reads them again, a newer version for instance, finds them as they were.
"""

from __future__ import annotations

import logging
from datetime import datetime
from functools import lru_cache
from typing import Any

from captioning.domain.blobs import BY_ID
from captioning.domain.record import CaptionRecord, record_id
from captioning.errors import RecordUnreadable

log = logging.getLogger("captioning.records")

_OF_A_RUN = frozenset({"claim", "previous", "history", "error"})
"""Fields that are only good for going on with the record."""


def unreadable(
    document: dict[str, Any], broken: frozenset[str], identity: str, uploaded: datetime
) -> CaptionRecord:
    """The record with this id as far as its `document` can be read; it lacks the fields in
    `broken`. Its path is `sha256:<id>` where the document does not name it; the time of the upload
    is `uploaded` where it has none."""
    wrong = CaptionRecord.wrong_fields(document) | broken
    path = document.get("path")
    if not isinstance(path, str) or record_id(path) != identity:
        path = f"{BY_ID}{identity}"
        wrong |= {"path"}
    known = {
        "path": path,
        "id": identity,
        "status": "unreadable",
        "error": {"code": RecordUnreadable.code, "message": _message(wrong)},
    }
    assumed = {
        "image": {"bytes": 0, "etag": "", "modified": uploaded},
        "created": uploaded,
        "updated": uploaded,
    }
    rest = {name: value for name, value in document.items() if name not in wrong | _OF_A_RUN}
    _log_once(identity, ", ".join(sorted(wrong)))
    return CaptionRecord.from_json(assumed | rest | known)


def names_no_path(record: CaptionRecord) -> bool:
    """Whether nobody knows any more which image the record is about."""
    return record.id != record_id(record.path)


def refuse_unreadable(record: CaptionRecord) -> None:
    """Raises RecordUnreadable where no change may be made to the record."""
    if record.status == "unreadable":
        raise RecordUnreadable(record.error.message if record.error else _message(frozenset()))


def _message(wrong: frozenset[str]) -> str:
    named = f": {', '.join(sorted(wrong))}" if wrong else ""
    return (
        f"This version of the app cannot read the record{named}. It is left as it is. If a newer"
        " version wrote it, upgrade the app; otherwise correct it in the table, or delete the"
        " image."
    )


@lru_cache(maxsize=10_000)
def _log_once(identity: str, wrong: str) -> None:
    log.error("The record %s cannot be read and is left as it is: %s", identity, wrong or "id")
