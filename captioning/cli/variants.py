"""Ways of asking that are tried beside the deployed one: prompts, models, languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from captioning.config.budget_settings import BUDGETS
from captioning.config.settings import Settings
from captioning.errors import SettingsError

PROMPT, MODEL, LANGUAGES = "CAPTION_PROMPT_FILE", "CAPTION_MODEL", "CAPTION_LANGUAGES"
_OPTIONS = {PROMPT: "--prompt", MODEL: "--model", LANGUAGES: "--languages"}
_Changes = dict[str, str]


@dataclass(frozen=True, slots=True)
class Variant:
    """A way of asking, by a name for a person."""

    name: str
    settings: Settings


def variants(
    environ: Mapping[str, str], prompts: list[Path], models: list[str], languages: str | None
) -> list[Variant]:
    """Every prompt with every model, what is set first. SettingsError names the option that is bad,
    or that there is nothing to vary."""
    base = {**environ, **dict.fromkeys(BUDGETS, "")}  # budgets are of the app's runs
    said: _Changes = {} if languages is None else {LANGUAGES: languages or ","}
    deployed = _settings(base, said)
    if deployed.caption_provider == "embedded":
        if prompts or models:
            problem = (
                "change nothing: CAPTION_PROVIDER is `embedded`, which has neither. Set it to"
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
