"""Bars of how much of the quotas' limit each scenario reaches, as SVG."""

from __future__ import annotations

from html import escape

from bench.scale.figures import Figures

ROW, LEFT, WIDTH = 24, 300, 400


def chart(rows: list[Figures]) -> str:
    """One bar a scenario; the frame is the limit."""
    height = ROW * len(rows) + 8
    size = f'width="{LEFT + WIDTH + 60}" height="{height}"'
    font = 'font-family="sans-serif" font-size="12"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>']
    for number, row in enumerate(rows):
        top = ROW * number + 4
        long = min(row.share, 1.0) * WIDTH
        parts += [
            f'<text x="{LEFT - 8}" y="{top + 14}" text-anchor="end">{escape(row.name)}</text>',
            f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{ROW - 6}" fill="#eee"/>',
            f'<rect x="{LEFT}" y="{top}" width="{long:.1f}" height="{ROW - 6}" fill="#357"/>',
            f'<text x="{LEFT + WIDTH + 8}" y="{top + 14}">{row.share:.0%}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"
