"""Evaluates the captions of the configured services on a golden set, for each CAPTION_INPUT.

    make eval                             the services of local.settings.json (its sample: embedded)
    python -m bench.quality.evaluate [INPUT…]     only `tags`, `image` or `image+tags`

Vision is called once for each picture, the model once for each picture and input: 8 pictures and 3
inputs cost about 4 US cents with the default services. docs/captions.md explains the figures.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from bench.quality.golden import GoldenSet
from bench.quality.score import Score, report
from captioning.app.clients import ServiceClients
from captioning.app.credentials import identity_of
from captioning.budget.prices import PriceList
from captioning.config.settings import Settings, local_environ
from captioning.domain.record import Captioning, CaptionInput, ImageAnalysis
from captioning.domain.usage import NOTHING, Bill, Usage
from captioning.errors import CaptioningError
from captioning.images.picture import inspect
from captioning.providers import Providers
from captioning.resilience.calls import PlainCalls
from testing.paths import ROOT

SAMPLES = ROOT / "samples"
INPUTS: tuple[CaptionInput, ...] = get_args(CaptionInput)


class Billed(PlainCalls):
    """Calls that keep their bills."""

    def __init__(self) -> None:
        self.bills: list[Bill] = []

    def billed(self, bill: Bill) -> None:
        """Keeps the bill."""
        self.bills.append(bill)


@dataclass
class PictureRun:
    """The run context of one picture. With an analysis, Vision is not called again."""

    analysis: ImageAnalysis | None
    captioning: Captioning | None = None
    vision: Billed = field(default_factory=Billed)
    model: Billed = field(default_factory=Billed)

    def analysed(self, analysis: ImageAnalysis) -> None:
        """Has no effect: the answer holds the analysis."""

    def captioned(self, captioning: Captioning) -> None:
        """Has no effect: the answer holds the captioning."""


def evaluate(
    settings: Settings, inputs: Sequence[CaptionInput] = INPUTS, samples: Path = SAMPLES
) -> Iterator[tuple[CaptionInput, Score]]:
    """The score of each input that the configured services support."""
    golden = GoldenSet()
    seen: dict[str, tuple[ImageAnalysis, Usage]] = {}
    prices = PriceList.load(settings.prices_file)
    clients = ServiceClients(settings, identity_of(settings))
    try:
        asked = clients.providers
        for mode in inputs:
            if settings.vision_provider == "none" and mode == "tags":
                continue
            if settings.caption_provider == "embedded" and mode == "image":
                continue
            providers = Providers(asked.analyzer, asked.captioner, mode)
            try:
                yield mode, _score(golden, providers, seen, samples, _pricer(settings, prices))
            finally:
                providers.close()
    finally:
        clients.close()


def _score(
    golden: GoldenSet,
    providers: Providers,
    seen: dict[str, tuple[ImageAnalysis, Usage]],
    samples: Path,
    price: Callable[[list[Bill]], Usage],
) -> Score:
    score = Score()
    for picture in golden.pictures:
        known = seen.get(picture.file)
        run = PictureRun(known[0] if known else None)
        score.pictures += 1
        try:
            answers = providers.ask(inspect((samples / picture.file).read_bytes()), run)
        except CaptioningError as error:
            score.failed[error.code] += 1
        else:
            score.add(golden, picture, answers.captioning)
            if answers.analysis and not known:
                known = seen[picture.file] = (answers.analysis, price(run.vision.bills))
        score.answers += len(run.model.bills)
        score.usage += price(run.model.bills)
        score.usage += known[1] if known else price(run.vision.bills)
    return score


def _pricer(settings: Settings, prices: PriceList) -> Callable[[list[Bill]], Usage]:
    def price(bills: list[Bill]) -> Usage:
        each = (prices.usage(bill, deployment=settings.caption_model) for bill in bills)
        return sum(each, NOTHING)

    return price


def main(arguments: Sequence[str]) -> None:
    """Prints the report."""
    if unknown := set(arguments) - set(INPUTS):
        raise SystemExit(f"{', '.join(sorted(unknown))}: must be of {', '.join(INPUTS)}")
    inputs = [mode for mode in INPUTS if mode in arguments] or INPUTS
    settings = Settings.from_environ(local_environ(ROOT))
    sys.stdout.write(report(list(evaluate(settings, inputs))))


if __name__ == "__main__":
    main(sys.argv[1:])
