"""Arithmetic of the measurements, and tables in markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def ideal(in_flight: int, service_seconds: float) -> float:
    """Images a second if nothing took time but the services."""
    return in_flight / service_seconds


def percentile(values: Iterable[float], share: float) -> float:
    """A percentile by the nearest-rank method; `share` is from 0 to 1, NaN without values."""
    ranked = sorted(values)
    if not ranked:
        return float("nan")
    rank = -(-len(ranked) * round(share * 1000) // 1000)
    return ranked[max(0, rank - 1)]


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table whose columns, except the first, are aligned to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)
