"""What captioning images again is likely to cost. It is an estimate: nobody is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from captioning.domain.record import CaptionRecord
from captioning.domain.usage import Bill, Usage
from captioning.records.catalog import Catalog
from captioning.reuse.entries import ReuseStore
from captioning.search.query import Query

LOOKED_AT = 200
"""The newest captioned images, among which those of the present settings are looked for."""


@dataclass(frozen=True, slots=True)
class Asking:
    """How the services are asked now: fingerprint, Vision's billed features, and the deployment;
    None where no tokens are billed."""

    fingerprint: str
    features: tuple[str, ...]
    model: str | None


class Estimate:
    """Estimates for one round of images: the same bytes are paid for once in it.

    `price` is that of the price list. Images that the present settings have captioned are the best
    witnesses: models count the tokens of one picture very differently. Without any, an image is
    taken to need what it needed last time, at the present model's prices.
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
        """Dollars; 0 where nothing is to be paid, None where no price is known."""
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
        """What the estimates rest on, for a person."""
        if not self.sample:
            return "estimated by what each needed last time"
        return f"estimated by {len(self.sample):,} that these settings have captioned"

    @cached_property
    def sample(self) -> list[float]:
        """What the newest images cost that the present settings have captioned."""
        newest = islice(self._catalog.walk(Query(status="captioned")), LOOKED_AT)
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
            return 0.0  # before anybody was asked
        if self._asking.model is None:
            return self._price(Bill(self._asking.features)).usd
        if not paid.input_tokens:  # nobody knows how many it takes
            return None
        tokens = paid.input_tokens, paid.output_tokens
        bill = Bill(self._asking.features, self._asking.model, tokens[0], output_tokens=tokens[1])
        return self._price(bill).usd
