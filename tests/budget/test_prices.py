"""Prices: what is known is worked out, what is not known is never taken for free."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from captioning.budget.prices import BUILT_IN, PriceList
from captioning.domain.usage import NOTHING, Bill
from captioning.vision.features import plan_features, supported_features
from testing.services.chat import DEPLOYMENTS

MILLION = 1_000_000
FILE: dict[str, Any] = json.loads(BUILT_IN.read_text("utf-8"))
GPT_4O, GPT_5 = {"input": 2.5, "output": 10}, {"input": 1.25, "output": 10}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "prices.json"


def usd(prices: PriceList, model: str | None, deployment: str = "") -> float | None:
    """Dollars for a million input tokens."""
    return prices.usage(Bill(model=model, input_tokens=MILLION), deployment=deployment).usd


def listed(file: Path, **changes: Any) -> PriceList:
    """The built-in file with changes, as a file of its own."""
    file.write_text(json.dumps({**FILE, **changes}), "utf-8")
    return PriceList.load(file)


def test_a_models_tokens_are_priced_and_cached_ones_are_cheaper() -> None:
    bill = Bill((), "gpt-4o-mini-2024-07-18", 3_000, 1_000, 200)
    usage = PriceList.load().usage(bill)
    assert (usage.input_tokens, usage.cached_tokens, usage.output_tokens) == (3_000, 1_000, 200)
    # 2,000 at 0.15, 1,000 at 0.075, 200 at 0.60 a million; floats are exact enough
    assert usage.usd == pytest.approx(0.000_495, rel=1e-12)


def test_without_a_price_of_their_own_cached_tokens_cost_as_much(file: Path) -> None:
    prices = listed(file, models={"m": {"input": 1, "output": 2}})
    assert prices.usage(Bill((), "m", MILLION, MILLION, 0)).usd == 1.0


def test_more_cached_tokens_than_input_are_no_discount_below_the_cached_price() -> None:
    bill = Bill((), "gpt-4o-mini", MILLION, 5 * MILLION, 0)
    assert PriceList.load().usage(bill).usd == pytest.approx(0.075)


def test_every_feature_is_a_transaction() -> None:
    usage = PriceList.load().usage(Bill(("tags", "objects", "read")))
    assert usage.vision_calls == 3
    assert usage.usd == pytest.approx(0.0035)


def test_a_bill_for_both_services_is_one_sum() -> None:
    usage = PriceList.load().usage(Bill(("read",), "gpt-4o-mini", MILLION))
    assert usage.usd == pytest.approx(0.1515)


def test_a_bill_of_nothing_costs_nothing() -> None:
    assert PriceList.load().usage(Bill()) == NOTHING


@pytest.mark.parametrize("api", ["4.0", "3.2"])
def test_every_feature_has_a_price_by_the_name_it_has_on_the_wire(api: str) -> None:
    features = set(supported_features(api))
    if api == "3.2":  # Read is no visual feature, and `caption` is the same one as `description`
        features -= {"read", "caption"}
    plan = plan_features(api, tuple(features))
    usage = PriceList.load().usage(Bill(plan.v40 + plan.v32))
    assert usage.usd is not None
    assert usage.usd >= 0.001 * len(features)


def test_every_model_that_answers_in_these_tests_has_its_own_price() -> None:
    prices = PriceList.load()
    assert [usd(prices, model) for model in DEPLOYMENTS.values()] == [0.15, 0.25, 0.10]


@pytest.mark.parametrize(
    ("answered", "price"),
    [
        ("gpt-4o", 2.5),
        ("gpt-4o-2024-11-20", 2.5),
        ("gpt-4o-2024-05-13", 5.0),
        ("GPT-4o", 2.5),
        ("gpt-4o-20241120", 2.5),
        ("gpt-4o-1120", 2.5),
        ("gpt-4o-mini", None),
        ("gpt-4o-mini-2024-07-18", None),
        ("gpt-5-mini", None),
        ("gpt-5.4-mini", None),
        ("gpt-5-2025-08-07.ft-0123", None),
        ("gpt", None),
        ("", None),
    ],
)
def test_a_version_has_its_models_price_and_another_model_has_not(
    file: Path, answered: str, price: float | None
) -> None:
    earlier = {"input": 5, "output": 15}
    models = {"gpt-4o": GPT_4O, "gpt-4o-2024-05-13": earlier, "gpt-5": GPT_5}
    assert usd(listed(file, models=models), answered) == price


def test_an_unknown_models_answer_has_its_deployments_price_then_the_default(file: Path) -> None:
    prices = PriceList.load()
    assert usd(prices, "secret-model") is None
    assert usd(prices, "secret-model", "gpt-4o-mini-2024-07-18") == 0.15
    assert usd(prices, "gpt-4.1", "gpt-4o-mini") == 2.0
    generous = listed(file, default={"input": 7, "output": 7})
    assert usd(generous, "secret-model", "my-deployment") == 7.0
    assert usd(generous, "secret-model", "gpt-4o-mini") == 0.15


def test_an_unknown_price_makes_the_whole_bill_unknown() -> None:
    prices = PriceList.load()
    assert prices.usage(Bill(("tags",), "secret-model", 1)).usd is None
    assert prices.usage(Bill(("tags", "smartCrops"))).usd is None
    assert usd(prices, None) is None
    assert prices.usage(Bill(model="secret-model")).usd is None


def test_what_has_a_price_is_told_beforehand(file: Path) -> None:
    assert PriceList.load().has_model("gpt-4o-mini")
    assert not PriceList.load().has_model("captions-prod")
    assert listed(file, default=GPT_4O).has_model("captions-prod")
    assert PriceList.load().has_features(("tags", "denseCaptions"))
    assert not PriceList.load().has_features(("tags", "smartCrops"))


def test_the_built_in_list_is_dated_names_its_sources_and_does_not_vouch_for_vision() -> None:
    prices = PriceList.load()
    assert prices.date.isoformat() == "2026-11-28"
    assert prices.vision_verified is False
    assert set(FILE["sources"]) == {"models", "lifecycle", "pictures", "vision"}
    assert FILE["vision"]["note"]
    assert all(m["cached"] <= m["input"] for m in FILE["models"].values())
    assert usd(prices, "embedded") == 0.0


def test_a_file_that_an_editor_began_with_a_mark_is_read(file: Path) -> None:
    file.write_text(json.dumps(FILE), "utf-8-sig")
    assert usd(PriceList.load(file), "gpt-4o-mini") == 0.15


VISION = FILE["vision"]
BAD_FILES: dict[str, tuple[Any, str]] = {
    "broken JSON": ('{"date"', "Invalid JSON"),
    "no object": ([], "object"),
    "empty": ({}, "date is missing"),
    "no date": ({**FILE, "date": "soon"}, "date"),
    "another currency": ({**FILE, "currency": "EUR"}, "currency"),
    "no prices for vision": ({**FILE, "vision": {"verified": True}}, "vision.per_1000 is missing"),
    "words for verified": ({**FILE, "vision": {**VISION, "verified": "yes"}}, "vision.verified"),
    "text for a price": ({**FILE, "models": {"m": {"input": "1", "output": 1}}}, "models.m.input"),
    "a negative price": ({**FILE, "models": {"m": {"input": 1, "output": -1}}}, "models.m.output"),
    "no number": (
        {**FILE, "models": {"m": {"input": float("nan"), "output": 1}}},
        "models.m.input",
    ),
    "a boundless price": (
        {**FILE, "models": {"m": {"input": 1, "output": float("inf")}}},
        "models.m.output",
    ),
    "no output": ({**FILE, "models": {"m": {"input": 1}}}, "models.m.output is missing"),
    "a misspelled part": (
        {**FILE, "default": {**GPT_4O, "cache": 1}},
        "default.cache is not known",
    ),
    "a negative feature": (
        {**FILE, "vision": {**VISION, "per_1000": {"read": -1}}},
        "per_1000.read",
    ),
    "something else": ({**FILE, "Values": {"VISION_KEY": "s3cret"}}, "Values is not known"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_file_that_is_no_price_list_is_told_what_is_wrong(file: Path, kind: str) -> None:
    content, said = BAD_FILES[kind]
    file.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    with pytest.raises(ValueError, match=r"^is no price list: ") as caught:
        PriceList.load(file)
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_said_so(file: Path, content: bytes | None) -> None:
    if content:
        file.write_bytes(content)
    with pytest.raises(ValueError, match=r"readable UTF-8 text file$"):
        PriceList.load(file)
