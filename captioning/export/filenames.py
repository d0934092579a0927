"""Where a blob's file goes in a folder: under the blob's own path where every file system takes
that, and never outside of the folder."""

from __future__ import annotations

import re
import unicodedata

from captioning.domain.record import record_id
from captioning.text.visible import JOINERS

LONGEST = 200
"""Bytes of one part of a path. File systems take 255; the rest is for the id and suffixes."""
_NOT_IN_NAMES = frozenset('<>:"|?*\\')
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\.|$)", re.IGNORECASE
)
"""Windows has devices of these names in every folder, whatever suffix they are given."""


def places(path: str, suffix: str) -> tuple[str, ...]:
    """Relative paths for the blob's file, the best first. The last has the blob's id in it, and is
    the only one of a path that had to be changed: two such would meet."""
    safe = "/".join(_part(part) for part in path.split("/"))
    told_apart = f"{safe}~{record_id(path)[:12]}{suffix}"
    return (f"{safe}{suffix}", told_apart) if safe == path else (told_apart,)


def _part(part: str) -> str:
    """The part, as far as it can be a name on Linux, macOS and Windows."""
    plain = "".join("_" if _is_refused(character) else character for character in part)
    cut = plain.encode()[:LONGEST].decode(errors="ignore")
    kept = cut.rstrip(". ").lstrip(" ")
    return f"_{kept}" if not kept or _DEVICE.match(kept) else kept


def _is_refused(character: str) -> bool:
    hidden = unicodedata.category(character) in _UNSEEN and character not in JOINERS
    return hidden or character in _NOT_IN_NAMES
