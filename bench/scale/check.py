"""The model against the app: the same quotas, latencies and number of images in both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import mean

from bench.scale import runs
from bench.scale.calibration import Measured, measure
from bench.scale.model import Model
from bench.scale.quota import Fixed, Quota, Sliding
from bench.scale.scenarios import MODEL_SECONDS, VISION_SECONDS, Quotas, Scenario

SEEDS = range(8)
FREE_IMAGES, IMAGES = 96, 150


@dataclass(frozen=True, slots=True)
class Case:
    """Quotas of both services, or None."""

    name: str
    vision: int | None
    model: int | None
    window: float = 1.0

    @property
    def sliding(self) -> bool:
        """Whether the model counts calls in any stretch of time, as against in fixed windows."""
        return self.window == 1.0

    def quotas(self) -> Quotas:
        """For the model."""
        return Quotas(self.vision, self.model, self.window)

    def measured(self) -> Measured:
        """What the app does."""
        kind = Sliding if self.sliding else Fixed
        model: Quota | None = kind(self.model, self.window) if self.model else None
        vision = Sliding(self.vision) if self.vision else None
        return measure(IMAGES, vision=vision, model=model, seconds=(VISION_SECONDS, MODEL_SECONDS))


CASES = (
    Case("model: 3 calls a second", 10, 3),
    Case("Vision: 4 calls a second", 4, None),
    Case("model: 30 calls in each 10 s", 10, 30, 10.0),
)


def fitted() -> float:
    """Seconds of an image outside of the services, from a run without quotas: the one figure that
    the model takes from the machine."""
    free = measure(FREE_IMAGES, seconds=(VISION_SECONDS, MODEL_SECONDS))
    places = runs.local(1, Quotas(None, None), sliding=True, storage_seconds=0.0).capacity
    each = free.seconds * places.blobs.most / FREE_IMAGES
    return max(each - VISION_SECONDS - MODEL_SECONDS, 0.0)


def predicted(case: Case, storage_seconds: float) -> tuple[float, float, float]:
    """Seconds, calls of Vision and of the model, averaged over seeds."""
    plan = runs.local(IMAGES, case.quotas(), sliding=case.sliding, storage_seconds=storage_seconds)
    found = [_run(replace(plan, seed=seed)) for seed in SEEDS]
    seconds, vision, model = (mean(figures) for figures in zip(*found, strict=True))
    return seconds, vision, model


def _run(plan: Scenario) -> tuple[float, float, float]:
    model = Model(plan)
    model.model.whole_seconds = False  # the local service says it in milliseconds
    model.run()
    seconds = model.counts.last_end - plan.storage_seconds / 2
    return seconds, model.vision.calls, model.model.calls


def compared() -> str:
    """Markdown: measured and predicted, side by side."""
    storage_seconds = fitted()
    lines = [
        f"Outside of the services: {storage_seconds:.2f} s an image.\n",
        "| quota | seconds | simulated | off | Vision's calls | simulated | model's | simulated |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case in CASES:
        real, (seconds, vision, model) = case.measured(), predicted(case, storage_seconds)
        off = seconds / real.seconds - 1
        lines.append(
            f"| {case.name} | {real.seconds:.1f} | {seconds:.1f} | {off:+.0%}"
            f" | {real.calls['vision']} | {vision:.0f} | {real.calls['model']} | {model:.0f} |"
        )
    return "\n".join(lines) + "\n"
