"""Estimates of what captioning images again will cost. No service is called for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from captioning.domain.record import CaptionRecord
from captioning.domain.usage import Bill, Usage
from captioning.records.catalog import Catalog
from captioning.reuse.entries import ReuseStore

LOOKED_AT = 200
"""The sample is taken from so many of the newest captioned images."""


@dataclass(frozen=True, slots=True)
class Asking:
    """How the services are called now: the fingerprint of the call, Vision's billed features, and
    the model's deployment, None where no tokens are billed."""

    fingerprint: str
    features: tuple[str, ...]
    model: str | None


class Estimate:
    """Estimates the images of one round, in which the same bytes are charged once.

    `price` prices a bill. The estimate is the mean cost of images that the present settings have
    captioned, as models count the tokens of a picture very differently. Where there are none, an
    image is assumed to need as many tokens as last time, at the present model's prices.
    """

    def __init__(
        self, asking: Asking, price: Callable[[Bill], Usage], catalog: Catalog, works: ReuseStore
    ) -> None:
        self._asking = asking
        self._price = price
        self._catalog = catalog
        self._works = works
        self._seen: set[str] = set()

    def of(self, record: CaptionRecord) -> float | None:
        """US dollars; 0 where nothing will be charged, None where no price is known."""
        sha256 = record.image.sha256
        if sha256:
            if sha256 in self._seen or self._is_known(sha256):
                return 0.0
            self._seen.add(sha256)
        if self.sample:
            return sum(self.sample) / len(self.sample)
        return self._last_time(record)

    @property
    def basis(self) -> str:
        """How the estimates are made, for a person to read."""
        if not self.sample:
            return "estimated from the tokens that each used last time"
        return f"estimated from {len(self.sample):,} images captioned with these settings"

    @cached_property
    def sample(self) -> list[float]:
        """Costs in US dollars of the newest images that the present settings have captioned."""
        captioned = (record for record in self._catalog.walk() if record.status == "captioned")
        newest = islice(captioned, LOOKED_AT)
        return [
            record.usage.usd
            for record in newest
            if record.provenance.fingerprint == self._asking.fingerprint
            and record.provenance.reused_from is None
            and record.usage.usd is not None
        ]

    def _is_known(self, sha256: str) -> bool:
        found = self._works.get(sha256, self._asking.fingerprint)
        return found is not None and found.work.is_done

    def _last_time(self, record: CaptionRecord) -> float | None:
        paid, made = record.usage, record.provenance
        if made.reused_from and record.image.sha256 and made.fingerprint:
            found = self._works.get(record.image.sha256, made.fingerprint)
            paid = found.work.usage if found else paid
        if record.status == "rejected" and paid.usd == 0:
            return 0.0  # it was rejected before any service was called
        if self._asking.model is None:
            return self._price(Bill(self._asking.features)).usd
        if not paid.input_tokens:  # it has never been captioned by a model that counts tokens
            return None
        tokens = paid.input_tokens, paid.output_tokens
        bill = Bill(self._asking.features, self._asking.model, tokens[0], output_tokens=tokens[1])
        return self._price(bill).usd
