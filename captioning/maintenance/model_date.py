"""When a model is of: the date that ends the name of its version."""

from __future__ import annotations

import re
from datetime import date

_DATED = re.compile(r"(?:^|[-@:_])(\d{4})-?(\d{2})-?(\d{2})$", re.ASCII)
"""gpt-4o-mini-2024-07-18, 20240718; not gpt-4-0613 or mistral-large-2411, which tell no day."""


def model_date(version: str) -> date | None:
    """The day in a version's name, or of a day itself; None where it names none."""
    found = _DATED.search(version.strip())
    if found is None:
        return None
    try:
        return date(*(int(part) for part in found.groups()))
    except ValueError:
        return None
