"""What people wrote about an earlier upload of a path, while nobody knows the new one's bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Carried:
    """JSON values of the fields that people wrote, and the SHA-256 of the bytes they meant."""

    sha256: str
    edits: dict[str, Any]
