"""Plain charts in SVG: line charts and bar charts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 70, 50
COLOURS = ("#1f5fa8", "#c2571a", "#3b7d3b", "#7a4a9e")
"""Each has a contrast of at least 4.5 on white."""
BAR, LABEL = 22, 240
"""Height of a bar, and the width of its label, in pixels."""


class Sheet:
    """A white drawing with a title. Coordinates are pixels from the upper left corner."""

    def __init__(self, title: str, width: int, height: int) -> None:
        size = {"width": str(width), "height": str(height), "viewBox": f"0 0 {width} {height}"}
        look = {"font-family": "sans-serif", "font-size": "13", "role": "img"}
        namespace = {"xmlns": "http://www.w3.org/2000/svg"}
        self._root = ET.Element("svg", {**namespace, **size, **look})
        ET.SubElement(self._root, "title").text = title
        self.add("rect", width=width, height=height, fill="white")
        self.text(16, 24, title, size=15, weight="bold")

    def add(self, kind: str, **attributes: object) -> ET.Element:
        """Adds an element; `_` in the names of attributes becomes `-`."""
        named = {name.replace("_", "-"): str(value) for name, value in attributes.items()}
        return ET.SubElement(self._root, kind, named)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        anchor: str = "start",
        size: int = 13,
        weight: str = "normal",
        fill: str = "#222",
    ) -> None:
        """Adds a line of text; `anchor` says which point of its baseline is at x, y."""
        self.add(
            "text",
            x=f"{x:.1f}",
            y=f"{y:.1f}",
            text_anchor=anchor,
            font_size=size,
            font_weight=weight,
            fill=fill,
        ).text = text

    def line(self, points: Sequence[tuple[float, float]], colour: str, *, dashed: bool) -> None:
        """Adds a line through points, with a dot at each unless it is dashed."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashes = {"stroke_dasharray": "6 4"} if dashed else {}
        self.add("polyline", points=path, fill="none", stroke=colour, stroke_width=2, **dashes)
        for x, y in () if dashed else points:
            self.add("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=3.5, fill=colour)

    def markup(self) -> str:
        """The drawing as an SVG file."""
        return ET.tostring(self._root, encoding="unicode") + "\n"


def lines(
    title: str,
    across: str,
    places: Sequence[int],
    series: Mapping[str, Sequence[float]],
    *,
    dashed: str = "",
) -> str:
    """A line chart of series over places, which are at equal distances. The series named `dashed`
    is drawn so."""
    sheet = Sheet(title, WIDTH, HEIGHT)
    top = nice_above(max(max(values) for values in series.values()))
    floor, span = HEIGHT - BOTTOM, HEIGHT - TOP - BOTTOM

    def place(number: int, value: float) -> tuple[float, float]:
        step = (WIDTH - LEFT - RIGHT) / max(1, len(places) - 1)
        return LEFT + number * step, floor - value / top * span

    for quarter in range(5):
        y = floor - span * quarter / 4
        sheet.add("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, stroke="#ccc")
        sheet.text(LEFT - 8, y + 4, f"{top * quarter / 4:g}", anchor="end")
    for number, label in enumerate(places):
        sheet.text(place(number, 0)[0], floor + 20, str(label), anchor="middle")
    sheet.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, across, anchor="middle")
    x = float(LEFT)
    for (name, values), colour in zip(series.items(), COLOURS, strict=False):
        points = [place(number, value) for number, value in enumerate(values)]
        sheet.line(points, colour, dashed=name == dashed)
        sheet.line([(x, 46), (x + 22, 46)], colour, dashed=name == dashed)
        sheet.text(x + 30, 50, name)
        x += 50 + 8 * len(name)
    return sheet.markup()


def bars(title: str, rows: Mapping[str, Sequence[float]], names: Sequence[str]) -> str:
    """A bar chart: for each row a bar for each name, with its value at the end."""
    height = TOP + len(rows) * (BAR * len(names) + 10) + 10
    sheet = Sheet(title, WIDTH, height)
    most = max((max(values) for values in rows.values()), default=0.0) or 1.0
    room = WIDTH - LABEL - RIGHT - 50
    for number, name in enumerate(names):
        x = 16 + number * 120
        sheet.add("rect", x=x, y=38, width=14, height=14, fill=COLOURS[number])
        sheet.text(x + 20, 50, name)
    y = float(TOP)
    for row, values in rows.items():
        sheet.text(LABEL - 10, y + BAR * len(values) / 2 + 4, row, anchor="end")
        for value, colour in zip(values, COLOURS, strict=False):
            long = max(0.0, value) / most * room
            sheet.add("rect", x=LABEL, y=y, width=f"{long:.1f}", height=BAR - 4, fill=colour)
            sheet.text(LABEL + long + 6, y + BAR - 9, f"{value:.1f}", size=12)
            y += BAR
        y += 10
    return sheet.markup()


def nice_above(value: float) -> float:
    """The next 1, 2, 4 or 8 times a power of ten, whose quarters are short numbers."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 4, 8, 10) if power * step >= value)
