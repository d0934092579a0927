"""Settings: every bad one is named at once, and none of them by its value."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from captioning import settings as module
from captioning.errors import SettingsError
from captioning.settings import FEATURES_32, FEATURES_40, ONLY_40, Settings
from captioning.settings_table import SETTINGS
from captioning.vision_features import supported_features

AZURE = {
    "ImageStorage__blobServiceUri": "https://a.blob.core.windows.net",
    "ImageStorage__queueServiceUri": "https://a.queue.core.windows.net",
    "ImageStorage__tableServiceUri": "https://a.table.core.windows.net",
    "VISION_ENDPOINT": "https://v.cognitiveservices.azure.com/",
    "AZURE_OPENAI_ENDPOINT": "https://m.openai.azure.com",
}
EMBEDDED = {
    "ImageStorage": "UseDevelopmentStorage=true",
    "VISION_PROVIDER": "embedded",
    "CAPTION_PROVIDER": "embedded",
}
OPENAI = {**AZURE, "CAPTION_PROVIDER": "openai", "OPENAI_BASE_URL": "http://127.0.0.1:11434/v1"}
ACCOUNT = "AccountName=a;AccountKey=a2V5"
BAD = {
    "ImageStorage": ["s3cret", "AccountName=s3cret", "AccountKey=s3cret", "BlobEndpoint=s3cret"],
    "ImageStorage__blobServiceUri": ["http://s3cret.blob.core.windows.net", "s3cret"],
    "ImageStorage__queueServiceUri": ["s3cret", "ftp://s3cret"],
    "ImageStorage__tableServiceUri": ["https://", "https://user:s3cret@a.example"],
    "IMAGES_CONTAINER": ["S3cret", "s3--cret", "s3", "-s3cret", "s" * 64, "s3cret\u0660"],
    "CAPTIONS_TABLE": ["3secret", "s3-cret", "s3", "s" * 58],
    "BLOB_TRIGGER_SOURCE": ["s3cret", "eventgrid"],
    "MAX_IMAGE_BYTES": ["0", "104857601", "s3cret", "1.5", "-1", "9" * 5000, "\u0663"],
    "VISION_PROVIDER": ["s3cret"],
    "VISION_ENDPOINT": ["http://s3cret.example", "s3cret", "https://v.example/?k=s3cret"],
    "VISION_KEY": ["s3cret key", "s3cret\u00e9", "s3\ncret"],
    "VISION_API": ["s3cret", "3"],
    "VISION_FEATURES": ["tags,s3cret", ",", "tags,,read", "Tags"],
    "VISION_MIN_CONFIDENCE": ["s3cret", "1.1", "-0.1", "nan", "0,5"],
    "CAPTION_PROVIDER": ["s3cret"],
    "AZURE_OPENAI_ENDPOINT": ["http://s3cret.example", "https://[s3cret"],
    "AZURE_OPENAI_API_KEY": ["s3cret key"],
    "OPENAI_API_KEY": ["s3cret key"],
    "CAPTION_INPUT": ["s3cret", "tags+image"],
    "CAPTION_LANGUAGES": ["s3cret!", "en,", "english", "e"],
    "CAPTION_DETAIL": ["s3cret"],
    "CAPTION_MAX_TOKENS": ["99", "128001", "s3cret"],
    "CAPTION_PROMPT_FILE": ["/nowhere/s3cret.txt", "/"],
}
"""Each alone is wrong in a deployment that is right otherwise."""
PAIRS = [(name, value) for name, values in BAD.items() for value in values]


def problems(values: dict[str, str]) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ(values)
    return caught.value.problems


@pytest.mark.parametrize(
    ("name", "value"), PAIRS, ids=[f"{n} {i}" for i, (n, _) in enumerate(PAIRS)]
)
def test_a_bad_setting_is_named_without_its_value(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({**AZURE, name: value})
    assert set(caught.value.problems) == {name}
    assert "s3cret" not in str(caught.value).lower()
    assert len(caught.value.problems[name].split()) > 1


def test_every_bad_setting_is_named_at_once() -> None:
    bad = {name: values[0] for name, values in BAD.items() if not name.startswith("ImageStorage_")}
    del bad["VISION_PROVIDER"], bad["CAPTION_PROVIDER"]
    assert set(problems(bad)) == set(bad)
    assert {"VISION_PROVIDER", "CAPTION_PROVIDER"} <= set(problems(dict.fromkeys(BAD, "x")))


def test_what_an_empty_deployment_lacks_is_named() -> None:
    lacking = {"ImageStorage", "VISION_ENDPOINT", "AZURE_OPENAI_ENDPOINT"}
    assert set(problems({})) == lacking
    assert set(problems(dict.fromkeys((row.name for row in SETTINGS), " "))) == lacking


def test_an_identity_needs_every_service_address() -> None:
    only_blobs = {n: v for n, v in AZURE.items() if "queue" not in n and "table" not in n}
    lacking = {"ImageStorage__queueServiceUri", "ImageStorage__tableServiceUri"}
    assert set(problems(only_blobs)) == lacking


def test_defaults_are_those_of_the_table() -> None:
    unset = Settings.from_environ(AZURE)
    spelled = {row.name: row.default for row in SETTINGS if row.default}
    assert Settings.from_environ({**spelled, **AZURE}) == unset
    assert Settings.from_environ({**dict.fromkeys(spelled, "  "), **AZURE}) == unset
    assert unset.vision_features == ("tags", "objects", "read")
    assert (unset.max_image_bytes, unset.vision_min_confidence) == (50 * 1024 * 1024, 0.6)
    assert (unset.caption_input, unset.caption_languages) == ("image+tags", ("en",))
    assert (unset.vision_provider, unset.caption_provider) == ("azure", "azure")
    assert (unset.images_container, unset.captions_table) == ("images", "captions")
    assert unset.blob_trigger_source == "EventGrid"


def test_examples_of_the_table_are_good_settings() -> None:
    examples = {row.name: row.example for row in SETTINGS if row.example}
    settings = Settings.from_environ(examples)
    assert settings.storage.managed
    assert settings.storage.connection_string is None


def test_every_setting_of_the_table_is_parsed() -> None:
    fields = {field.name for field in dataclasses.fields(Settings)} - {"storage"}
    names = {row.name.lower() for row in SETTINGS if not row.name.startswith("ImageStorage")}
    assert names == fields


def test_values_are_trimmed_and_addresses_lose_their_slash() -> None:
    settings = Settings.from_environ({**AZURE, "CAPTION_LANGUAGES": " en , pt-BR,en "})
    assert settings.caption_languages == ("en", "pt-BR")
    assert settings.vision_endpoint == "https://v.cognitiveservices.azure.com"


@pytest.mark.parametrize(
    "text", [ACCOUNT, f"{ACCOUNT};", "BlobEndpoint=x;TableEndpoint=y;SharedAccessSignature=s=1"]
)
def test_a_connection_string_goes_before_addresses(text: str) -> None:
    settings = Settings.from_environ({**AZURE, "ImageStorage": text})
    assert settings.storage.connection_string == text


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({**AZURE, "VISION_API": "3.2", "VISION_FEATURES": "tags,people"}, "VISION_FEATURES"),
        ({**AZURE, "VISION_PROVIDER": "none", "CAPTION_INPUT": "tags"}, "CAPTION_INPUT"),
        ({**EMBEDDED, "VISION_PROVIDER": "none"}, "CAPTION_PROVIDER"),
        ({**EMBEDDED, "CAPTION_INPUT": "image"}, "CAPTION_INPUT"),
        ({**EMBEDDED, "CAPTION_LANGUAGES": "en,de"}, "CAPTION_LANGUAGES"),
        ({**OPENAI, "OPENAI_BASE_URL": ""}, "OPENAI_BASE_URL"),
        (
            {**OPENAI, "OPENAI_BASE_URL": "http://nas:11434", "OPENAI_API_KEY": "k"},
            "OPENAI_BASE_URL",
        ),
    ],
)
def test_what_does_not_go_together_is_named(changes: dict[str, str], name: str) -> None:
    assert set(problems(changes)) == {name}


@pytest.mark.parametrize("address", ["localhost:1", "127.0.0.1:1", "[::1]:1"])
def test_a_key_may_go_to_this_machine_in_the_clear(address: str) -> None:
    url = f"http://{address}"
    changes = {"VISION_ENDPOINT": url, "VISION_KEY": "k", "AZURE_OPENAI_ENDPOINT": url}
    assert Settings.from_environ({**AZURE, **changes}).vision_endpoint == url


def test_a_server_that_gets_no_key_may_be_on_the_local_network() -> None:
    settings = Settings.from_environ({**OPENAI, "OPENAI_BASE_URL": "http://nas:11434/v1"})
    assert settings.openai_base_url == "http://nas:11434/v1"


def test_a_prompt_file_that_is_readable_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text("Describe birds.", "utf-8")
    settings = Settings.from_environ({**AZURE, "CAPTION_PROMPT_FILE": str(file)})
    assert settings.caption_prompt_file == file
    file.write_bytes(b"\xff\xfe\x00")
    assert set(problems({**AZURE, "CAPTION_PROMPT_FILE": str(file)})) == {"CAPTION_PROMPT_FILE"}


def test_features_are_those_the_client_can_ask_for() -> None:
    assert set(supported_features("4.0")) == FEATURES_40 | FEATURES_32
    assert set(supported_features("3.2")) == (FEATURES_40 | FEATURES_32) - ONLY_40


def test_the_trigger_source_is_polling_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, source in {
        "LogsAndContainerScan": "LogsAndContainerScan",
        "": "EventGrid",
        "nonsense": "EventGrid",
    }.items():
        monkeypatch.setenv("BLOB_TRIGGER_SOURCE", value)
        assert module.blob_trigger_source() == source
