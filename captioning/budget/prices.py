"""What services charge and how long they live, from a dated file. Prices that are not in it are
unknown, not guessed."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from captioning.domain.usage import Bill, Usage

PATCH = 32
"""Pixels of a side of the squares in which models since gpt-4.1-mini count a picture."""
BUILT_IN = Path(__file__).with_name("prices.json")
Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_VERSION = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|\d{4})$")
"""The version in gpt-4o-mini-2024-07-18 or mistral-large-2411; gpt-4o-mini is none of gpt-4o."""
_SAID = {"missing": "is missing", "unexpected_keyword_argument": "is not known here"}


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class FlatPicture:
    """A picture counts `flat` tokens in detail `low`, whatever its size."""

    flat: Annotated[int, Field(gt=0)]

    def tokens(self, _width: int, _height: int) -> int:
        """The tokens of a picture."""
        return self.flat


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class PatchPicture:
    """A picture counts `patch` tokens for each of up to `most` patches of PATCH x PATCH pixels,
    whatever the detail."""

    patch: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    most: Annotated[int, Field(gt=0)]

    def tokens(self, width: int, height: int) -> int:
        """The tokens of a picture of this size in pixels."""
        patches = math.ceil(width / PATCH) * math.ceil(height / PATCH)
        return math.ceil(min(patches, self.most) * self.patch)


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class ModelPrices:
    """US dollars for a million tokens. Cached tokens are part of the input; without a price of
    their own they cost the same. The rest is None where it is not known: how far the model is on
    its way out, the day from which on it answers 410, whether it reasons unless told not to, and
    what a picture counts."""

    input: Dollars
    output: Dollars
    cached: Dollars | None = None
    lifecycle: Literal["current", "legacy", "deprecated", "retired"] | None = None
    retires: dt.date | None = None
    reasons: bool | None = None
    picture: FlatPicture | PatchPicture | None = None

    def of(self, bill: Bill) -> float:
        """US dollars for a bill's tokens."""
        cached = min(bill.cached_tokens, bill.input_tokens)
        cached_price = self.input if self.cached is None else self.cached
        millionths = (
            (bill.input_tokens - cached) * self.input
            + cached * cached_price
            + bill.output_tokens * self.output
        )
        return millionths / 1_000_000


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class VisionPrices:
    """US dollars for a thousand transactions, by feature."""

    verified: bool
    per_1000: dict[str, Dollars]
    note: str = ""
    retires: dt.date | None = None


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class PriceFile:
    """The price file. `default` applies to models that it does not name."""

    date: dt.date
    currency: Literal["USD"]
    models: dict[str, ModelPrices]
    vision: VisionPrices
    default: ModelPrices | None = None
    sources: dict[str, str] = field(default_factory=dict)


class PriceList:
    """Prices by model and feature; names ignore case."""

    def __init__(self, file: PriceFile) -> None:
        self.date = file.date
        self.vision_verified = file.vision.verified
        self.vision_retires = file.vision.retires
        self._models = {name.casefold(): prices for name, prices in file.models.items()}
        self._default = file.default
        self._vision = {name.casefold(): usd for name, usd in file.vision.per_1000.items()}

    @classmethod
    def load(cls, path: Path | None = None) -> PriceList:
        """The list in a file, or the built-in one; ValueError says what is wrong with the file."""
        try:
            text = (path or BUILT_IN).read_text("utf-8-sig")
            file = _adapter().validate_json(text, strict=True)
        except (OSError, UnicodeDecodeError):
            raise ValueError("must be the path of a readable UTF-8 text file") from None
        except ValidationError as error:
            raise ValueError(_explained(error)) from None
        return cls(file)

    def usage(self, bill: Bill, *, deployment: str = "") -> Usage:
        """The bill as usage, with its price; `usd` is None if a price is unknown. `deployment` is
        the one that was called: its name is looked up if the model's has no price."""
        tokens = self._tokens_usd(bill, deployment)
        transactions = self._vision_usd(bill.features)
        known = tokens is not None and transactions is not None
        return Usage(
            bill.input_tokens,
            bill.cached_tokens,
            bill.output_tokens,
            reasoning_tokens=bill.reasoning_tokens,
            vision_calls=len(bill.features),
            usd=(tokens or 0.0) + (transactions or 0.0) if known else None,
        )

    def models(self) -> dict[str, ModelPrices]:
        """What is known of each model that the file names, by lower-case name."""
        return dict(self._models)

    def model(self, name: str) -> ModelPrices | None:
        """What is known of the model of this name, with or without a version; None: nothing."""
        return self._named(name)

    def has_model(self, name: str) -> bool:
        """Whether answers of this model or deployment have a price."""
        return (self._named(name) or self._default) is not None

    def has_features(self, names: Iterable[str]) -> bool:
        """Whether each of these Vision features has a price."""
        return self._vision_usd(names) is not None

    def _tokens_usd(self, bill: Bill, deployment: str) -> float | None:
        if bill.model is None and not (bill.input_tokens or bill.output_tokens):
            return 0.0
        prices = self._named(bill.model or "") or self._named(deployment) or self._default
        return prices.of(bill) if prices else None

    def _vision_usd(self, features: Iterable[str]) -> float | None:
        try:
            return sum((self._vision[name.casefold()] for name in features), 0.0) / 1_000
        except KeyError:
            return None

    def _named(self, name: str) -> ModelPrices | None:
        """The prices of a whole name, else those of the name without its version."""
        whole = name.casefold()
        return self._models.get(whole) or self._models.get(_VERSION.sub("", whole))


@cache
def _adapter() -> TypeAdapter[PriceFile]:
    return TypeAdapter(PriceFile)


def _explained(error: ValidationError) -> str:
    """The first problem and its place in the file, without values from the file."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(step)[:40] for step in first["loc"])
    what = _SAID.get(first["type"], f"- {first['msg']}")
    return f"is no price list: {place} {what}" if place else f"is no price list: {first['msg']}"
