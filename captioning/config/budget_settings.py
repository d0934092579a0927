"""Settings about money: a budget holds only where every answer has a price."""

from __future__ import annotations

from pathlib import Path

from captioning.budget.prices import PriceList
from captioning.config.environment import Environment

BUDGETS = ("DAILY_BUDGET_USD", "MONTHLY_BUDGET_USD")


def check_prices(
    env: Environment, file: Path | None, *, model: str | None, features: tuple[str, ...]
) -> None:
    """Notes a price list that is none and, with a budget, that it lacks the model or one of the
    features that are paid for: what has no price would be spent beside the budget."""
    if "PRICES_FILE" in env.problems:
        return
    try:
        prices = PriceList.load(file)
    except ValueError as error:
        env.problem("PRICES_FILE", str(error))
        return
    for budget in filter(env.text, BUDGETS):
        if model is not None and not prices.has_model(model):
            env.problem(
                budget,
                "needs a price for every answer, and there is none for CAPTION_MODEL: set a "
                "PRICES_FILE that names it in `models` or has a `default`",
            )
        if not prices.has_features(features):
            env.problem(
                budget,
                "needs a price for every answer, and there is none for one of VISION_FEATURES: "
                "add it to `per_1000` in PRICES_FILE",
            )
