"""What the services charge for what a scenario made of them, by the app's price list."""

from __future__ import annotations

from captioning.budget.prices import PriceList
from captioning.config.definitions import SETTINGS
from captioning.domain.usage import Bill
from testing.harness.model_costs import tokens

MODEL = "gpt-4o-mini"


def usd(vision_answers: int, model_answers: int) -> float:
    """Dollars; refused calls cost nothing. The prices of Vision are unconfirmed ones."""
    [features] = [s.default for s in SETTINGS if s.name == "VISION_FEATURES"]
    given, answered = tokens(MODEL, "image+tags")
    prices = PriceList.load()
    vision = prices.usage(Bill(tuple(features.split(",")))).usd or 0.0
    model = prices.usage(Bill(model=MODEL, input_tokens=given, output_tokens=answered)).usd or 0.0
    return vision_answers * vision + model_answers * model
