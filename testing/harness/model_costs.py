"""The cost of captioning a thousand images, by model and mode: the table of docs/operate.md.

Pictures are counted as the price list says, for the one that the app sends: at most one megapixel,
with detail `low`. `python -m testing.harness.model_costs` prints the table.
"""

from __future__ import annotations

import sys

from captioning.budget.prices import PriceList
from captioning.config.definitions import SETTINGS
from captioning.domain.usage import Bill
from testing.paths import ROOT

CANDIDATES = [
    line
    for line in (ROOT / "infra/hooks/models.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]
SIDE = 1_000
"""Pixels of a side of the picture."""
INSTRUCTIONS, EVIDENCE = 400, 400
"""Tokens of the prompt with the schema of the answer, and of Vision's results."""
ANSWER = 150
"""Tokens of an answer in one language. With CAPTION_REASONING `lowest` there are no others."""
MODES = ("image+tags", "image", "tags")


def tokens(model: str, mode: str) -> tuple[int, int]:
    """Input and output tokens of an image."""
    known = PriceList.load().model(model)
    assert known
    assert known.picture
    shown = known.picture.tokens(SIDE, SIDE) if "image" in mode else 0
    evidence = EVIDENCE if "tags" in mode else 0
    return INSTRUCTIONS + shown + evidence, ANSWER


def vision_usd() -> float:
    """Dollars of Vision for a thousand images, with the default features."""
    [features] = [setting.default for setting in SETTINGS if setting.name == "VISION_FEATURES"]
    return 1_000 * (PriceList.load().usage(Bill(tuple(features.split(",")))).usd or 0.0)


def model_usd(model: str, mode: str) -> float:
    """Dollars of the model for a thousand images."""
    given, answered = tokens(model, mode)
    bill = Bill(model=model, input_tokens=given, output_tokens=answered)
    return 1_000 * (PriceList.load().usage(bill).usd or 0.0)


def table() -> str:
    """The rows of the table, in dollars."""
    return "".join(
        f"| `{model}` | {' | '.join(f'{model_usd(model, mode):.2f}' for mode in MODES)} |\n"
        for model in CANDIDATES
    )


if __name__ == "__main__":
    sys.stdout.write(f"Vision: {vision_usd():.2f}\n{table()}")
