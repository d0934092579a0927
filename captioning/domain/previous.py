"""What a record said before: one step back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from captioning.domain.usage import Usage


@dataclass(frozen=True, slots=True)
class Previous:
    """The texts that others took the place of: JSON values of the record's fields by name, how they
    came to be (the record's `provenance` then), what they cost, and until when they stood."""

    texts: dict[str, Any]
    provenance: dict[str, Any]
    usage: Usage
    until: datetime
