"""The settings, parsed and checked. The only reader of the environment.

An empty value counts as unset, except that of IGNORE_FILES. All bad settings are
reported at once, and never with their values.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from captioning.config.definitions import SETTINGS
from captioning.config.environment import Environment
from captioning.config.sections import (
    QueueNames,
    StorageConnection,
    Webhook,
    captions_table,
    check_prices,
    images_container,
    prompt_file,
    queue_names,
    storage_connection,
    tag_vocabulary,
    webhook,
)
from captioning.domain.record import LEFT_FOR_A_CALL, CaptionInput
from captioning.errors import SettingsError
from captioning.records.tag_vocabulary import Vocabulary
from captioning.vision.features import FEATURES, ONLY_40

MAX_VISION_SECONDS, MAX_CAPTION_SECONDS = 30, 120
"""The upper limits of VISION_TIMEOUT_SECONDS and CAPTION_TIMEOUT_SECONDS."""
MAX_DECODE_SECONDS = 60
"""The upper limit of DECODE_SECONDS."""
CONNECT_SECONDS = 5
"""The timeout for connecting to a service, before the timeout for its answer begins."""
TIMES_TO_DECODE = 4
"""DECODE_SECONDS that a picture may take: it waits for a helper, is tried as a light one, waits for
the one that has more memory, and is tried again."""
VisionProvider = Literal["azure", "embedded", "none"]
CaptionProvider = Literal["azure", "openai", "embedded"]
BlobTriggerSource = Literal["EventGrid", "LogsAndContainerScan"]


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, parsed."""

    storage: StorageConnection
    images_container: str
    captions_table: str
    blob_trigger_source: BlobTriggerSource
    max_image_bytes: int
    decode_memory_mib: int | None
    decode_seconds: int
    ignore_files: tuple[str, ...]
    vision_provider: VisionProvider
    vision_endpoint: str
    vision_key: str | None
    vision_api: Literal["4.0", "3.2"]
    vision_features: tuple[str, ...]
    vision_min_confidence: float
    caption_provider: CaptionProvider
    azure_openai_endpoint: str
    azure_openai_api_key: str | None
    openai_base_url: str
    openai_api_key: str | None
    caption_model: str
    caption_input: CaptionInput
    caption_languages: tuple[str, ...]
    caption_detail: Literal["low", "high", "auto"]
    caption_max_tokens: int
    caption_reasoning: Literal["lowest", "low", "medium", "high", "default"]
    caption_prompt_file: Path | None
    tag_vocabulary: Vocabulary
    support_threshold: float
    vision_timeout_seconds: int
    caption_timeout_seconds: int
    claim_seconds: int
    burst_seconds: int
    forget_after_hours: int
    backup_days: int
    recaptions_per_hour: int
    daily_budget_usd: float | None
    monthly_budget_usd: float | None
    prices_file: Path | None
    webhook: Webhook | None

    @property
    def queues(self) -> QueueNames:
        """The app's queues."""
        return queue_names(self.captions_table)

    @classmethod
    def from_environ(cls, values: Mapping[str, str]) -> Settings:
        """The settings of an environment; SettingsError names every bad one."""
        env = Environment(values, {setting.name: setting.default for setting in SETTINGS})
        settings = _parse(env)
        _check_together(settings, env)
        if env.problems:
            raise SettingsError(env.problems)
        return settings


def load() -> Settings:
    """The settings of this process; SettingsError names every bad one."""
    return Settings.from_environ(os.environ)


def helper_environ() -> dict[str, str]:
    """What Python needs of this process's environment to start once more, and no secret."""
    names = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR")
    return {name: os.environ[name] for name in names if name in os.environ}


def local_environ(folder: Path) -> dict[str, str]:
    """The environment of this process; unset values come from `local.settings.json`, or from the
    sample where there is none. Where the environment configures storage, the file's storage is
    ignored as a whole."""
    file = folder / "local.settings.json"
    if not file.exists():
        file = folder / "local.settings.sample.json"
    try:
        given = json.loads(file.read_text("utf-8-sig"))["Values"].items()
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise SettingsError({file.name: "must be JSON with an object `Values`"}) from error
    values = {name: "" if value is None else str(value) for name, value in given}
    if any(name.startswith("ImageStorage") for name in os.environ):
        values = {n: v for n, v in values.items() if not n.startswith("ImageStorage")}
    return {**values, **os.environ}


def _parse(env: Environment) -> Settings:
    vision_provider: VisionProvider = env.choice("VISION_PROVIDER", "azure", "embedded", "none")
    captioner: CaptionProvider = env.choice("CAPTION_PROVIDER", "azure", "openai", "embedded")
    return Settings(
        storage=storage_connection(env),
        images_container=images_container(env),
        captions_table=captions_table(env),
        blob_trigger_source=env.choice("BLOB_TRIGGER_SOURCE", "EventGrid", "LogsAndContainerScan"),
        max_image_bytes=env.whole("MAX_IMAGE_BYTES", 1, 100 * 1024 * 1024),
        decode_memory_mib=(
            env.whole("DECODE_MEMORY_MIB", 128, 16_384) if env.text("DECODE_MEMORY_MIB") else None
        ),
        decode_seconds=env.whole("DECODE_SECONDS", 1, MAX_DECODE_SECONDS),
        ignore_files=env.file_patterns("IGNORE_FILES"),
        vision_provider=vision_provider,
        vision_endpoint=env.url("VISION_ENDPOINT", required=vision_provider == "azure"),
        vision_key=env.secret("VISION_KEY"),
        vision_api=env.choice("VISION_API", "4.0", "3.2"),
        vision_features=env.words("VISION_FEATURES", FEATURES),
        vision_min_confidence=env.fraction("VISION_MIN_CONFIDENCE"),
        caption_provider=captioner,
        azure_openai_endpoint=env.url("AZURE_OPENAI_ENDPOINT", required=captioner == "azure"),
        azure_openai_api_key=env.secret("AZURE_OPENAI_API_KEY"),
        openai_base_url=_openai_base_url(env, captioner),
        openai_api_key=env.secret("OPENAI_API_KEY"),
        caption_model=env.text("CAPTION_MODEL"),
        caption_input=env.choice("CAPTION_INPUT", "image+tags", "image", "tags"),
        caption_languages=env.languages("CAPTION_LANGUAGES"),
        caption_detail=env.choice("CAPTION_DETAIL", "low", "high", "auto"),
        caption_reasoning=env.choice(
            "CAPTION_REASONING", "lowest", "low", "medium", "high", "default"
        ),
        caption_max_tokens=env.whole("CAPTION_MAX_TOKENS", 100, 128_000),
        caption_prompt_file=prompt_file(env),
        tag_vocabulary=tag_vocabulary(env),
        support_threshold=env.fraction("SUPPORT_THRESHOLD"),
        vision_timeout_seconds=env.whole("VISION_TIMEOUT_SECONDS", 1, MAX_VISION_SECONDS),
        caption_timeout_seconds=env.whole("CAPTION_TIMEOUT_SECONDS", 1, MAX_CAPTION_SECONDS),
        claim_seconds=env.whole("CLAIM_SECONDS", 5, 3600),
        burst_seconds=env.whole("BURST_SECONDS", 0, 3600),
        forget_after_hours=env.whole("FORGET_AFTER_HOURS", 1, 8760),
        backup_days=env.whole("BACKUP_DAYS", 0, 3650),
        recaptions_per_hour=env.whole("RECAPTIONS_PER_HOUR", 0, 2500),
        daily_budget_usd=env.dollars("DAILY_BUDGET_USD"),
        monthly_budget_usd=env.dollars("MONTHLY_BUDGET_USD"),
        prices_file=env.file("PRICES_FILE"),
        webhook=webhook(env),
    )


def _openai_base_url(env: Environment, captioner: CaptionProvider) -> str:
    has_key = env.optional("OPENAI_API_KEY") is not None
    return env.url("OPENAI_BASE_URL", required=captioner == "openai", has_key=has_key)


def _check_together(settings: Settings, env: Environment) -> None:
    """Checks values that are valid by themselves, but not together."""
    if settings.vision_api == "3.2" and ONLY_40.intersection(settings.vision_features):
        env.problem("VISION_FEATURES", f"{' and '.join(sorted(ONLY_40))} need VISION_API 4.0")
    if settings.vision_provider == "none" and settings.caption_input == "tags":
        env.problem("CAPTION_INPUT", "`tags` needs a VISION_PROVIDER")
    if settings.caption_provider == "embedded":
        if settings.vision_provider != "embedded":
            env.problem("CAPTION_PROVIDER", "`embedded` requires VISION_PROVIDER=embedded")
        if settings.caption_input == "image":
            env.problem(
                "CAPTION_INPUT", "must be image+tags or tags: the embedded captioner sees only tags"
            )
        if settings.caption_languages != ("en",):
            env.problem(
                "CAPTION_LANGUAGES", "must be en: the embedded captioner writes only English"
            )
    _check_claim(settings, env)
    check_prices(
        env,
        settings.prices_file,
        model=None if settings.caption_provider == "embedded" else settings.caption_model,
        features=settings.vision_features if settings.vision_provider == "azure" else (),
    )


def _check_claim(settings: Settings, env: Environment) -> None:
    """A claim must not expire while its run waits for an answer, or decodes the picture."""
    if settings.claim_seconds < TIMES_TO_DECODE * settings.decode_seconds:
        env.problem(
            "CLAIM_SECONDS",
            f"must be {TIMES_TO_DECODE * settings.decode_seconds} or more:"
            f" {TIMES_TO_DECODE} times DECODE_SECONDS must fit into it",
        )
    calls = {}
    if settings.vision_provider == "azure":
        calls["VISION_TIMEOUT_SECONDS"] = settings.vision_timeout_seconds
    if settings.caption_provider != "embedded":
        calls["CAPTION_TIMEOUT_SECONDS"] = settings.caption_timeout_seconds
    name = max(calls, key=calls.__getitem__, default=None)
    if name is None:
        return
    least = math.ceil((calls[name] + CONNECT_SECONDS) / LEFT_FOR_A_CALL)
    if settings.claim_seconds < least:
        env.problem(
            "CLAIM_SECONDS",
            f"must be {least} or more: {name} plus {CONNECT_SECONDS} seconds to connect must fit"
            f" into {LEFT_FOR_A_CALL:.0%} of it",
        )
