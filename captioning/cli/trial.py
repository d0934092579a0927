"""Tries prompts, models and languages on pictures: what each one answers, and what that costs.

Nothing is stored.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from captioning.app.clients import ServiceClients
from captioning.app.credentials import identity_of
from captioning.app.decoders import decoders
from captioning.app.pipeline import call_maker
from captioning.budget.prices import PriceList
from captioning.config.sections import BUDGETS
from captioning.config.settings import Settings
from captioning.domain.record import Captioning, ImageAnalysis
from captioning.domain.usage import NOTHING, Bill, Usage
from captioning.errors import CaptioningError, ImageTooLarge, SettingsError
from captioning.images.inspected import Picture
from captioning.resilience.calls import FORGETFUL

PROMPT, MODEL, LANGUAGES = "CAPTION_PROMPT_FILE", "CAPTION_MODEL", "CAPTION_LANGUAGES"
_OPTIONS = {PROMPT: "--prompt", MODEL: "--model", LANGUAGES: "--languages"}
_Changes = dict[str, str]


@dataclass(frozen=True, slots=True)
class Variant:
    """Settings to try, with a name for a person to read."""

    name: str
    settings: Settings


def variants(
    environ: Mapping[str, str], prompts: list[Path], models: list[str], languages: str | None
) -> list[Variant]:
    """Every prompt with every model, the configured ones first. SettingsError names a bad option,
    or says that there is nothing to vary."""
    base = {**environ, **dict.fromkeys(BUDGETS, "")}  # budgets are for the app's runs only
    said: _Changes = {} if languages is None else {LANGUAGES: languages or ","}
    deployed = _settings(base, said)
    if deployed.caption_provider == "embedded":
        if prompts or models:
            problem = (
                "have no effect: CAPTION_PROVIDER is `embedded`, which has neither. Set it to"
                " `azure` or `openai`."
            )
            raise SettingsError({"--prompt and --model": problem})
        return [Variant("embedded", deployed)]
    file = deployed.caption_prompt_file
    by_prompt: dict[str, _Changes] = {str(file or "built-in prompt"): {}}
    by_prompt |= {str(each): {PROMPT: str(each)} for each in prompts if each != file}
    by_model: dict[str, _Changes] = {deployed.caption_model: {}}
    by_model |= {each: {MODEL: each} for each in models if each != deployed.caption_model}
    return [
        Variant(f"{prompt}, {model}", _settings(base, said | with_prompt | with_model))
        for prompt, with_prompt in by_prompt.items()
        for model, with_model in by_model.items()
    ]


def _settings(base: Mapping[str, str], changes: _Changes) -> Settings:
    try:
        return Settings.from_environ({**base, **changes})
    except SettingsError as error:
        options = {name: f"{_OPTIONS[name]} {value}" for name, value in changes.items()}
        raise SettingsError(
            {options.get(name, name): what for name, what in error.problems.items()}
        ) from error


@dataclass(frozen=True, slots=True)
class Attempt:
    """The answer of a variant to a picture, or its error; `usage` is the model's. `seconds` include
    Vision's where this variant called it."""

    variant: str
    usage: Usage
    seconds: float
    captioning: Captioning | None = None
    error: CaptioningError | None = None


@dataclass(slots=True)
class Tried:
    """A file and the attempts at it. Vision is called once for all of them. With an `error` the
    file cannot be used as a picture, and no service was called."""

    file: Path
    vision: Usage = NOTHING
    attempts: list[Attempt] = field(default_factory=list)
    error: CaptioningError | None = None

    @property
    def paid(self) -> Usage:
        """The usage of all attempts and of Vision."""
        return sum((attempt.usage for attempt in self.attempts), self.vision)

    @property
    def failed(self) -> bool:
        """Whether the file or an attempt failed."""
        return self.error is not None or any(attempt.error for attempt in self.attempts)


class Trial:
    """Calls the services that the settings name, with every variant. It must be closed.
    SettingsError where an adapter rejects a setting."""

    def __init__(self, ways: list[Variant]) -> None:
        self._ways = ways
        self._settings = ways[0].settings
        self._prices = PriceList.load(self._settings.prices_file)
        credential = identity_of(self._settings)
        with ExitStack() as opened:
            clients = [ServiceClients(way.settings, credential) for way in ways]
            for each in clients:
                opened.callback(each.close)
            self._providers = [each.providers for each in clients]
            decoding = decoders(self._settings)
            opened.callback(decoding.close)
            self._inspect = decoding.inspect
            self._open = opened.pop_all()

    def close(self) -> None:
        """Ends threads and connections."""
        self._open.close()

    def files(self, files: list[Path]) -> Iterator[Tried]:
        """Yields each file once all variants have answered. OSError where one cannot be read."""
        for file in files:
            tried = Tried(file)
            try:
                self._ask(self._picture(file), tried)
            except CaptioningError as error:
                tried.error = error
            yield tried

    def _picture(self, file: Path) -> Picture:
        most = self._settings.max_image_bytes
        if file.stat().st_size > most:
            raise ImageTooLarge(f"The file has more bytes than MAX_IMAGE_BYTES: {most:,}.")
        return self._inspect(file.read_bytes())

    def _ask(self, picture: Picture, tried: Tried) -> None:
        seen: ImageAnalysis | None = None
        for way, providers in zip(self._ways, self._providers, strict=True):
            context = _RunContext(seen)
            price = partial(self._prices.usage, deployment=way.settings.caption_model)
            started = time.monotonic()
            captioning = failure = None
            try:
                captioning = providers.ask(picture, context).captioning
            except CaptioningError as error:
                failure = error
            seconds = time.monotonic() - started
            seen = context.analysis
            tried.vision += sum(map(price, context.of_vision), NOTHING)
            paid = sum(map(price, context.of_model), NOTHING)
            tried.attempts.append(Attempt(way.name, paid, seconds, captioning, failure))


class _RunContext:
    """The context of one attempt: the analysis of an earlier one, its bills, and gates of its own,
    so that a model that does not answer delays no other variant."""

    def __init__(self, analysis: ImageAnalysis | None) -> None:
        self.analysis = analysis
        self.captioning: Captioning | None = None
        self.of_vision: list[Bill] = []
        self.of_model: list[Bill] = []
        self.vision, self.model = call_maker()(lambda: None, self._billed, FORGETFUL)

    def analysed(self, analysis: ImageAnalysis) -> None:
        """Keeps the analysis for the next attempts."""
        self.analysis = analysis

    def captioned(self, captioning: Captioning) -> None:
        """Does nothing: the attempt returns the captions, or fails."""

    def _billed(self, bill: Bill) -> None:
        (self.of_vision if bill.features else self.of_model).append(bill)
