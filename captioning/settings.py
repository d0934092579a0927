"""The settings, parsed and checked. The only reader of the environment.

An empty value counts as unset. All bad settings are named at once, never with their value.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from captioning.environment import Environment
from captioning.errors import SettingsError
from captioning.models import CaptionInput
from captioning.settings_table import SETTINGS

FEATURES_40 = frozenset({"tags", "objects", "read", "caption", "denseCaptions", "people"})
FEATURES_32 = frozenset({"brands", "description", "adult"})
ONLY_40 = frozenset({"denseCaptions", "people"})
VisionProvider = Literal["azure", "embedded", "none"]
CaptionProvider = Literal["azure", "openai", "embedded"]
BlobTriggerSource = Literal["EventGrid", "LogsAndContainerScan"]


@dataclass(frozen=True, slots=True)
class StorageConnection:
    """Either a connection string, or service addresses and the identity to use."""

    connection_string: str | None
    blob_uri: str
    queue_uri: str
    table_uri: str
    managed: bool
    client_id: str | None


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, parsed."""

    storage: StorageConnection
    images_container: str
    captions_table: str
    blob_trigger_source: BlobTriggerSource
    max_image_bytes: int
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
    caption_prompt_file: Path | None

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


def local_environ(folder: Path) -> dict[str, str]:
    """This process's environment over the values of `local.settings.json`, or of the sample where
    there is none. The file's storage is not mixed with the environment's."""
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


def blob_trigger_source() -> BlobTriggerSource:
    """Where blob events come from: read at indexing, when a bad setting may not stop the host."""
    polling = os.environ.get("BLOB_TRIGGER_SOURCE") == "LogsAndContainerScan"
    return "LogsAndContainerScan" if polling else "EventGrid"


def _parse(env: Environment) -> Settings:
    vision_provider: VisionProvider = env.choice("VISION_PROVIDER", "azure", "embedded", "none")
    caption_provider: CaptionProvider = env.choice(
        "CAPTION_PROVIDER", "azure", "openai", "embedded"
    )
    return Settings(
        storage=_storage(env),
        images_container=env.matching(
            "IMAGES_CONTAINER", r"[a-z0-9](-?[a-z0-9]){2,62}", "a container name"
        ),
        captions_table=env.matching(
            "CAPTIONS_TABLE", r"[A-Za-z][A-Za-z0-9]{2,56}", "3 to 57 letters and digits"
        ),
        blob_trigger_source=env.choice("BLOB_TRIGGER_SOURCE", "EventGrid", "LogsAndContainerScan"),
        max_image_bytes=env.whole("MAX_IMAGE_BYTES", 1, 100 * 1024 * 1024),
        vision_provider=vision_provider,
        vision_endpoint=env.url("VISION_ENDPOINT", required=vision_provider == "azure"),
        vision_key=env.secret("VISION_KEY"),
        vision_api=env.choice("VISION_API", "4.0", "3.2"),
        vision_features=env.words("VISION_FEATURES", FEATURES_40 | FEATURES_32),
        vision_min_confidence=env.fraction("VISION_MIN_CONFIDENCE"),
        caption_provider=caption_provider,
        azure_openai_endpoint=env.url(
            "AZURE_OPENAI_ENDPOINT", required=caption_provider == "azure"
        ),
        azure_openai_api_key=env.secret("AZURE_OPENAI_API_KEY"),
        openai_base_url=env.url(
            "OPENAI_BASE_URL",
            required=caption_provider == "openai",
            has_key=env.optional("OPENAI_API_KEY") is not None,
        ),
        openai_api_key=env.secret("OPENAI_API_KEY"),
        caption_model=env.text("CAPTION_MODEL"),
        caption_input=env.choice("CAPTION_INPUT", "image+tags", "image", "tags"),
        caption_languages=env.languages("CAPTION_LANGUAGES"),
        caption_detail=env.choice("CAPTION_DETAIL", "low", "high", "auto"),
        caption_max_tokens=env.whole("CAPTION_MAX_TOKENS", 100, 128_000),
        caption_prompt_file=env.file("CAPTION_PROMPT_FILE"),
    )


def _storage(env: Environment) -> StorageConnection:
    connection_string = env.connection_string("ImageStorage")
    by_identity = connection_string is None
    if by_identity and not env.text("ImageStorage__blobServiceUri"):
        env.problem("ImageStorage", "is required (or ImageStorage__blobServiceUri and the others)")
        by_identity = False
    return StorageConnection(
        connection_string=connection_string,
        blob_uri=env.url("ImageStorage__blobServiceUri", required=by_identity),
        queue_uri=env.url("ImageStorage__queueServiceUri", required=by_identity),
        table_uri=env.url("ImageStorage__tableServiceUri", required=by_identity),
        managed=env.text("ImageStorage__credential") == "managedidentity",
        client_id=env.optional("ImageStorage__clientId"),
    )


def _check_together(settings: Settings, env: Environment) -> None:
    """What is right by itself and wrong beside the others."""
    if settings.vision_api == "3.2" and ONLY_40.intersection(settings.vision_features):
        env.problem("VISION_FEATURES", "denseCaptions and people need VISION_API 4.0")
    if settings.vision_provider == "none" and settings.caption_input == "tags":
        env.problem("CAPTION_INPUT", "`tags` needs a VISION_PROVIDER")
    if settings.caption_provider == "embedded":
        if settings.vision_provider != "embedded":
            env.problem("CAPTION_PROVIDER", "`embedded` goes with VISION_PROVIDER=embedded only")
        if settings.caption_input == "image":
            env.problem(
                "CAPTION_INPUT", "the embedded captioner sees tags only: image+tags or tags"
            )
        if settings.caption_languages != ("en",):
            env.problem("CAPTION_LANGUAGES", "the embedded captioner writes English only: en")
