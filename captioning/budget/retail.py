"""Prices of Azure's public retail price API, and what differs in a price list.

The API names no models. A meter is called `5.4 nano cd Inp Gl 1M Tokens`, `5.6 luna ShortCo Opt
Std Gl 1M Tokens` or, with dashes, `...-mini-0718-Inp-glbl Tokens`: the model, perhaps its version,
what is counted, and the kind of deployment. Source: answers of prices.azure.com in October 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from captioning.budget.prices import ModelPrices

Counted = Literal["input", "cached", "output"]
_WORD = re.compile(r"[a-z0-9.]+")
_COUNTED: dict[str, Counted] = {
    **dict.fromkeys(("inp", "inpt", "input"), "input"),
    **dict.fromkeys(("opt", "outp", "outpt", "output"), "output"),
}
_CACHED = frozenset({"cd", "cached", "cchd"})
_GLOBAL = frozenset({"gl", "glbl", "global"})
_NO_NAME = frozenset({"gpt", "tokens", "1m", "1k", "std", "shortco"})
"""Words that say nothing about the model: `ShortCo` are the prices of short contexts."""
_VERSION = re.compile(r"\d{4}")
_UNITS = {"1K": 1_000, "1M": 1_000_000}
KINDS: tuple[Counted, ...] = ("input", "cached", "output")


@dataclass(frozen=True, slots=True)
class Meter:
    """What a million tokens cost in Global Standard: `model` as the words of its name, in order."""

    model: tuple[str, ...]
    counted: Counted
    usd: float


@dataclass(frozen=True, slots=True)
class Difference:
    """A price in dollars for a million tokens that the API has otherwise. `listed` is None for one
    that the list lacks, `retail` for one that the API lacks."""

    model: str
    counted: Counted
    listed: float | None
    retail: float | None


def meter_of(item: Any) -> Meter | None:
    """The meter in an item of the API's answer; None where it is none of a chat model's tokens in
    Global Standard, at the ordinary price."""
    if not isinstance(item, dict) or item.get("type", "Consumption") != "Consumption":
        return None
    unit, price = _UNITS.get(str(item.get("unitOfMeasure"))), item.get("retailPrice")
    if unit is None or not isinstance(price, int | float) or price < 0:
        return None
    words = _WORD.findall(str(item.get("meterName", "")).casefold())
    # "gpt4o" is what some meters call gpt-4o.
    words = [word.removeprefix("gpt") or word for word in words]
    counted = [_COUNTED[word] for word in words if word in _COUNTED]
    if len(counted) != 1 or not _GLOBAL.intersection(words):
        return None
    is_cached = bool(_CACHED.intersection(words))
    known = _COUNTED.keys() | _CACHED | _GLOBAL | _NO_NAME
    model = tuple(word for word in words if word not in known and not _VERSION.fullmatch(word))
    if not model or (is_cached and counted[0] == "output"):
        return None
    usd = round(price * 1_000_000 / unit, 9)
    return Meter(model, "cached" if is_cached else counted[0], usd)


def differences(models: dict[str, ModelPrices], items: Iterable[Any]) -> Iterator[Difference]:
    """What differs between the listed models and the items of the API's answer, by model. A model
    that the API has no meter of is told once, by its input."""
    found: dict[tuple[tuple[str, ...], Counted], set[float]] = {}
    for meter in filter(None, map(meter_of, items)):
        found.setdefault((meter.model, meter.counted), set()).add(meter.usd)
    for name, listed in sorted(models.items()):
        if not (listed.input or listed.output):
            continue  # a stand-in that costs nothing
        words = tuple(_WORD.findall(name.removeprefix("gpt-")))
        retail = {kind: found.get((words, kind), set()) for kind in KINDS}
        if not any(retail.values()):
            yield Difference(name, "input", listed.input, None)
            continue
        for kind in KINDS:
            price, prices = getattr(listed, kind), retail[kind]
            # Several prices are of several versions; a listed one that is among them is right.
            if price not in prices and (price is not None or prices):
                yield Difference(name, kind, price, min(prices) if prices else None)
