"""Names for a blob's file in a folder: the blob's own path where every file system accepts it, and
never a path outside of the folder."""

from __future__ import annotations

import re
import unicodedata

from captioning.domain.record import record_id
from captioning.text.visible import INVISIBLE, JOINERS

LONGEST = 200
"""Bytes of one part of a path. File systems accept 255; the rest is for the id and suffixes."""
_NOT_IN_NAMES = frozenset('<>:"|?*\\')
_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\.|$)", re.IGNORECASE
)
"""Names of devices on Windows, which has them in every folder and with every suffix."""


def places(path: str, suffix: str) -> tuple[str, ...]:
    """Relative paths for the blob's file, the preferred one first. The last one contains the blob's
    id. It is the only one where the path had to be changed: two changed paths could be equal."""
    safe = "/".join(_part(part) for part in path.split("/"))
    told_apart = f"{safe}~{record_id(path)[:12]}{suffix}"
    return (f"{safe}{suffix}", told_apart) if safe == path else (told_apart,)


def _part(part: str) -> str:
    """The part, changed so that it can be a name on Linux, macOS and Windows."""
    plain = "".join("_" if _is_refused(character) else character for character in part)
    cut = plain.encode()[:LONGEST].decode(errors="ignore")
    kept = cut.rstrip(". ").lstrip(" ")
    return f"_{kept}" if not kept or _DEVICE.match(kept) else kept


def _is_refused(character: str) -> bool:
    hidden = unicodedata.category(character) in INVISIBLE and character not in JOINERS
    return hidden or character in _NOT_IN_NAMES
