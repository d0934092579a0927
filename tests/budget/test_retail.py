"""Meters of the public price API: which model they are of, and which list prices differ."""

from __future__ import annotations

from typing import Any

import pytest

from captioning.budget.prices import BUILT_IN, ModelPrices, PriceList
from captioning.budget.retail import Difference, differences, meter_of


def item(name: str, price: float = 0.25, unit: str = "1M", **others: Any) -> dict[str, Any]:
    return {"meterName": name, "retailPrice": price, "unitOfMeasure": unit, **others}


@pytest.mark.parametrize(
    ("name", "model", "counted"),
    [
        ("gpt-4o-mini-0718-Inp-glbl Tokens", "4o mini", "input"),
        ("gpt 4o mini 0718 cached Inp glbl Tokens", "4o mini", "cached"),
        ("gpt 4o 0513 Output global Tokens", "4o", "output"),
        ("gpt 4.1 nano cached Inp glbl Tokens", "4.1 nano", "cached"),
        ("GPT 5 Mini Inpt Glbl 1M Tokens", "5 mini", "input"),
        ("GPT 5 outpt Glbl 1M Tokens", "5", "output"),
        ("5.4 nano cd Inp Gl 1M Tokens", "5.4 nano", "cached"),
        ("5.4 opt Gl 1M Tokens", "5.4", "output"),
        ("5.6 luna ShortCo Opt Std Gl 1M Tokens", "5.6 luna", "output"),
        ("6 luna ShortCo Cd Inp Std Gl 1M Tokens", "6 luna", "cached"),
        ("gpt4o 1120 Inp glbl Tokens", "4o", "input"),
    ],
)
def test_a_meter_is_read_however_it_is_spelled(name: str, model: str, counted: str) -> None:
    meter = meter_of(item(name))
    assert meter
    assert (" ".join(meter.model), meter.counted, meter.usd) == (model, counted, 0.25)


@pytest.mark.parametrize(
    "name",
    [
        "5.6 luna ShortCo Cd Wr Std Gl 1M Tokens",
        "5.6 luna ShortCo Inp Std DZ 1M Tokens",
        "gpt-4o-mini-0718-Inp-regnl Tokens",
        "gpt 4o mini 0718 Inp Data Zone Tokens",
        "text-embedding-3-small-glbl Tokens",
        "Hosted vCPU Usage",
        "",
    ],
)
def test_other_meters_are_none_of_a_chat_models_in_global_standard(name: str) -> None:
    assert meter_of(item(name)) is None


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [],
        {},
        item("5 Inp Gl", unit="1 Hour"),
        item("5 Inp Gl", price=-1),
        {**item("5 Inp Gl"), "retailPrice": "1"},
        item("5 Inp Gl", type="Reservation"),
    ],
)
def test_what_is_no_price_for_tokens_is_no_meter(odd: Any) -> None:
    assert meter_of(odd) is None


def test_prices_for_a_thousand_and_for_a_million_are_compared_alike() -> None:
    models = {"gpt-4o-mini": ModelPrices(0.15, 0.60, 0.075)}
    items = [
        item("gpt-4o-mini-0718-Inp-glbl Tokens", 0.00015, "1K"),
        item("gpt-4o-mini-0718-Outp-glbl Tokens", 0.0006, "1K"),
        item("gpt 4o mini 0718 cached Inp glbl Tokens", 0.000075, "1K"),
    ]
    assert list(differences(models, items)) == []


def test_what_differs_is_told_by_price() -> None:
    models = {"gpt-5.6-luna": ModelPrices(1.0, 1.2), "gpt-6-luna": ModelPrices(0.1, 0.5)}
    items = [
        item("5.6 luna ShortCo Inp Std Gl 1M Tokens", 0.2),
        item("5.6 luna ShortCo Cd Inp Std Gl 1M Tokens", 0.02),
        item("5.6 luna ShortCo Opt Std Gl 1M Tokens", 1.2),
        item("5.6 luna Batch Inp Gl 1M Tokens", 0.1),
    ]
    assert list(differences(models, items)) == [
        Difference("gpt-5.6-luna", "input", 1.0, 0.2),
        Difference("gpt-5.6-luna", "cached", None, 0.02),
        Difference("gpt-6-luna", "input", 0.1, None),
    ]


def test_a_price_of_one_of_several_versions_is_right() -> None:
    models = {"gpt-4o": ModelPrices(2.5, 10)}
    items = [
        item("gpt 4o 0513 Input global Tokens", 5),
        item("gpt 4o 1120 Inp glbl Tokens", 2.5),
        item("gpt 4o 1120 Outp glbl Tokens", 10),
    ]
    assert list(differences(models, items)) == []


def test_a_stand_in_that_costs_nothing_has_no_meter() -> None:
    assert list(differences({"embedded": ModelPrices(0, 0)}, [])) == []


def test_the_built_in_list_tells_how_long_each_candidate_lives() -> None:
    models = PriceList.load(BUILT_IN).models()
    for name in ("gpt-4o-mini", "gpt-6-luna", "gpt-5.6-luna", "gpt-5.4-nano", "gpt-5-mini"):
        assert models[name].retires
        assert models[name].lifecycle
        assert models[name].picture
