"""What captioning an image again is said to cost."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from captioning.budget.prices import PriceList
from captioning.domain.record import CaptionRecord, ImageInfo, Provenance
from captioning.domain.usage import NOTHING, Bill, Usage
from captioning.maintenance.estimate import Asking, Estimate
from captioning.records.catalog import Catalog
from captioning.reuse.entries import ReuseEntry
from testing.factories.records import START, short
from testing.fakes.stores import MemoryReuse

FEATURES = ("tags", "objects", "read")
PAID = Usage(3_000, output_tokens=100, vision_calls=3, usd=1.0)
PRICES = PriceList.load()


class Newest(Catalog):
    """A catalogue that knows these records."""

    def __init__(self, *records: CaptionRecord) -> None:
        self._listed = records

    def walk(self, _: Any = None) -> Any:
        return iter(self._listed)


def by(fingerprint: str, number: int = 1, paid: Usage = PAID, **changes: Any) -> CaptionRecord:
    """A record of a picture of its own."""
    image = ImageInfo(1, '"1"', START, sha256=f"{number:064d}")
    made = Provenance(fingerprint=fingerprint, model="m")
    return replace(short("a.jpg", image=image, provenance=made, usage=paid), **changes)


def estimate(
    *known: CaptionRecord, works: MemoryReuse | None = None, model: str | None = "gpt-4o-mini"
) -> Estimate:
    asking = Asking("now", FEATURES, model)
    price = partial(PRICES.usage, deployment=model or "")
    return Estimate(asking, price, Newest(*known), works or MemoryReuse())


def work(fingerprint: str, *, is_done: bool = True, paid: Usage = PAID) -> MemoryReuse:
    """What is known of picture 1."""
    found = MemoryReuse()
    found.put(ReuseEntry(f"{1:064d}", fingerprint, "b.jpg", "r", usage=paid, is_done=is_done), None)
    return found


LAST_TIME = PRICES.usage(Bill(FEATURES, "gpt-4o-mini", 3_000, output_tokens=100)).usd


def test_it_is_what_the_image_needed_last_time_at_the_prices_of_now() -> None:
    made = estimate()
    assert LAST_TIME
    assert made.of(by("before")) == pytest.approx(LAST_TIME)
    assert made.basis == "estimated from the tokens that each used last time"


def test_what_the_present_settings_have_captioned_is_a_better_witness() -> None:
    sample = [
        by("now", 2, Usage(usd=0.02)),
        by("now", 3, Usage(usd=0.04)),
        by("now", 4, Usage()),
        by("now", 5, NOTHING, provenance=Provenance(fingerprint="now", reused_from="b.jpg")),
        by("before", 6),
    ]
    made = estimate(*sample)
    assert made.of(by("before")) == pytest.approx(0.03)
    assert made.basis == "estimated from 2 images captioned with these settings"


def test_the_same_bytes_are_paid_for_once() -> None:
    made = estimate()
    assert [made.of(by("before", number)) for number in (1, 2, 1)] == [LAST_TIME, LAST_TIME, 0]


@pytest.mark.parametrize(("is_done", "usd"), [(True, 0.0), (False, LAST_TIME)])
def test_what_these_settings_have_paid_for_is_free(*, is_done: bool, usd: float) -> None:
    assert estimate(works=work("now", is_done=is_done)).of(by("before")) == usd


def test_a_copy_needed_what_its_picture_did() -> None:
    copy = by("before", paid=NOTHING)
    copy = replace(copy, provenance=replace(copy.provenance, reused_from="b.jpg"))
    assert estimate(works=work("before")).of(copy) == pytest.approx(LAST_TIME)
    assert estimate().of(copy) is None


def test_what_is_not_known_is_not_guessed() -> None:
    """No price of the model; no tokens, as of an image that the embedded model captioned."""
    assert estimate(model="unheard-of").of(by("before")) is None
    assert estimate().of(by("before", paid=NOTHING)) is None


def test_what_was_refused_before_anybody_was_asked_costs_nothing() -> None:
    assert estimate().of(by("before", paid=NOTHING, status="rejected")) == 0.0


def test_without_a_billed_model_it_is_visions_price() -> None:
    assert estimate(model=None).of(by("before")) == PRICES.usage(Bill(FEATURES)).usd
