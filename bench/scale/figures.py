"""The result of a scenario: a row of figures, as JSON, in a Markdown table and in a chart."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from html import escape

from bench.scale.limits import requests
from bench.scale.model import Model
from bench.scale.money import usd
from bench.scale.scenarios import Scenario

HEADINGS = (
    ("scenario", "name"),
    ("images", "images"),
    ("instances × events + messages", "at_work"),
    ("hours", "hours"),
    ("of the limit", "share"),
    ("captioned", "captioned"),
    ("poisoned", "poisoned"),
    ("given up", "gave_up"),
    ("429s an image", "wasted"),
    ("runs an image", "runs"),
    ("deepest: events", "deepest_events"),
    ("deferred", "deepest_deferred"),
    ("oldest, hours", "oldest_hours"),
    ("median, minutes", "median_minutes"),
    ("USD", "usd"),
    ("on the dearest day", "dearest_day"),
)
ROW, LEFT, WIDTH = 24, 300, 400


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a scenario.

    `hours` is the time until the last image ended. `share` is the share of it that the quotas (in a
    stream: the arrivals) require at least; 1 means that the quotas are fully used. `requests` is
    the mean number of storage requests a second.
    """

    name: str
    policy: str
    images: int
    at_work: str
    hours: float
    share: float
    captioned: int
    poisoned: int
    gave_up: int
    expired: int
    wasted: float
    runs: float
    deferrals: int
    deepest_events: int
    deepest_deferred: int
    redelivered: int
    oldest_hours: float
    median_minutes: float
    usd: float
    dearest_day: float
    requests: float
    computed_in: float


def simulate(scenario: Scenario) -> Figures:
    """Runs the scenario."""
    began = time.monotonic()
    model = Model(scenario).run()
    counts, images = model.counts, scenario.images
    capacity = scenario.capacity
    seconds = max(counts.last_end, 1e-9)
    least = scenario.quotas.least_seconds(counts.captioned)
    if scenario.per_second:
        least = max(least, counts.captioned / scenario.per_second)
    ages = sorted(counts.ages)
    return Figures(
        scenario.name,
        scenario.policy,
        images,
        f"{capacity.instances} × {capacity.blobs.most} + {capacity.messages.most}",
        seconds / 3600,
        least / seconds,
        counts.captioned,
        counts.poisoned,
        counts.gave_up,
        counts.expired,
        (model.vision.refused + model.model.refused) / images,
        counts.runs / images,
        counts.deferrals,
        model.events.deepest,
        model.deferred_queue.deepest,
        model.event_grid.redelivered,
        counts.oldest / 3600,
        ages[len(ages) // 2] / 60,
        usd(counts.vision_paid, counts.model_paid),
        model.money.dearest_day if model.money else 0.0,
        requests(counts.captioned, counts.deferrals) / seconds,
        time.monotonic() - began,
    )


def table(rows: list[Figures]) -> str:
    """A table in markdown."""
    has_budget = any(row.dearest_day for row in rows)
    headings = [each for each in HEADINGS if has_budget or each[1] != "dearest_day"]
    lines = ["| " + " | ".join(heading for heading, _ in headings) + " |"]
    lines.append("|" + "---|" * len(headings))
    for row in rows:
        found = asdict(row)
        lines.append("| " + " | ".join(_cell(found[name], name) for _, name in headings) + " |")
    return "\n".join(lines) + "\n"


def _cell(value: object, name: str) -> str:
    if name == "share":
        return f"{value:.0%}"
    if isinstance(value, float):
        return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def chart(rows: list[Figures]) -> str:
    """A bar chart in SVG: the share of each scenario, within a frame that stands for 1."""
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
