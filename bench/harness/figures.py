"""The bench's arithmetic, and its tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def ideal(in_flight: int, service_seconds: float) -> float:
    """Images a second, were there nothing but the services' time."""
    return in_flight / service_seconds


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that so large a share of the values does not exceed; nearest rank."""
    ranked = sorted(values)
    if not ranked:
        return float("nan")
    rank = -(-len(ranked) * round(share * 1000) // 1000)
    return ranked[max(0, rank - 1)]


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; figures to the right of the first column are aligned by the reader."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)
