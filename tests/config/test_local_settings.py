"""local.settings.json, its sample, and host.json: what the app is started with."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from captioning.app.timeouts import RUN_SECONDS
from captioning.config.definitions import SETTINGS
from captioning.config.settings import Settings, local_environ
from captioning.errors import SettingsError
from testing.paths import ROOT

NAMES = {row.name for row in SETTINGS}
SAMPLE: dict[str, Any] = json.loads((ROOT / "local.settings.sample.json").read_text("utf-8"))
SECOND = "InsteadOfImageStorageInAzure"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the sample, in an environment without settings."""
    for name in [*NAMES, *(name for name in os.environ if name.startswith("ImageStorage"))]:
        monkeypatch.delenv(name, raising=False)
    write(tmp_path, "local.settings.sample.json", {"ImageStorage": "sample", "CAPTION_MODEL": "s"})
    return tmp_path


def write(folder: Path, name: str, values: object) -> None:
    (folder / name).write_text(json.dumps({"Values": values}), "utf-8")


def test_the_sample_serves_where_there_is_no_file(folder: Path) -> None:
    assert local_environ(folder)["CAPTION_MODEL"] == "s"


def test_the_file_goes_before_the_sample_as_a_whole(folder: Path) -> None:
    write(folder, "local.settings.json", {"CAPTION_DETAIL": "high"})
    assert local_environ(folder)["CAPTION_DETAIL"] == "high"
    assert "CAPTION_MODEL" not in local_environ(folder)


def test_the_environment_goes_before_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAPTION_MODEL", "mine")
    values = local_environ(folder)
    assert (values["CAPTION_MODEL"], values["ImageStorage"]) == ("mine", "sample")
    assert values["PATH"] == os.environ["PATH"]


def test_storage_of_file_and_environment_is_not_mixed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ImageStorage__blobServiceUri", "https://a.blob.core.windows.net")
    assert "ImageStorage" not in local_environ(folder)
    assert local_environ(folder)["CAPTION_MODEL"] == "s"


def test_values_that_are_no_text_become_text(folder: Path) -> None:
    write(folder, "local.settings.json", {"MAX_IMAGE_BYTES": 100, "VISION_KEY": None})
    values = local_environ(folder)
    assert (values["MAX_IMAGE_BYTES"], values["VISION_KEY"]) == ("100", "")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"Values": 1}', '"Values"', "null"])
def test_a_file_that_is_none_is_named(folder: Path, text: str) -> None:
    (folder / "local.settings.json").write_text(text, "utf-8")
    with pytest.raises(SettingsError) as caught:
        local_environ(folder)
    assert list(caught.value.problems) == ["local.settings.json"]


def test_a_file_that_an_editor_began_with_a_mark_is_read(folder: Path) -> None:
    text = '{"Values": {"CAPTION_MODEL": "m"}}'
    (folder / "local.settings.json").write_text(text, "utf-8-sig")
    assert local_environ(folder)["CAPTION_MODEL"] == "m"


def test_the_sample_works_unchanged() -> None:
    settings = Settings.from_environ(SAMPLE["Values"])
    assert (settings.vision_provider, settings.caption_provider) == ("embedded", "embedded")
    assert settings.blob_trigger_source == "LogsAndContainerScan"
    assert settings.storage.connection_string == "UseDevelopmentStorage=true"


def test_the_sample_works_for_azure_once_its_second_block_moves_up() -> None:
    values = {**SAMPLE["Values"], **SAMPLE[SECOND], "ImageStorage": ""}
    values |= {"VISION_PROVIDER": "azure", "CAPTION_PROVIDER": "azure"}
    assert Settings.from_environ(values).storage.managed


def test_the_sample_names_every_setting_once_and_no_other() -> None:
    named = [*SAMPLE["Values"], *SAMPLE[SECOND]]
    assert len(named) == len(set(named))
    assert {name for name in named if name in NAMES} == NAMES
    assert set(named) - NAMES == {
        "FUNCTIONS_WORKER_RUNTIME",
        "AzureWebJobsStorage",
        "AzureWebJobsDisableHomepage",
        "PYTHON_THREADPOOL_THREAD_COUNT",
    }


def test_the_sample_keeps_identity_settings_away_from_the_host() -> None:
    """The blob binding takes `ImageStorage__blobServiceUri` for set where it is empty."""
    assert not [name for name in SAMPLE["Values"] if name.startswith("ImageStorage__")]
    assert all(isinstance(value, str) for value in SAMPLE["Values"].values())


def test_the_sample_shows_defaults_where_it_does_not_choose_the_embedded_way() -> None:
    chosen = {"ImageStorage", "BLOB_TRIGGER_SOURCE", "VISION_PROVIDER", "CAPTION_PROVIDER"}
    addresses = {"VISION_ENDPOINT", "AZURE_OPENAI_ENDPOINT", "OPENAI_BASE_URL"}
    for row in SETTINGS:
        if row.name in SAMPLE["Values"] and row.name not in chosen | addresses:
            assert SAMPLE["Values"][row.name] == row.default, row.name


def test_the_host_gets_what_it_needs() -> None:
    values = SAMPLE["Values"]
    assert values["AzureWebJobsDisableHomepage"] == "true"
    assert 1 <= int(values["PYTHON_THREADPOOL_THREAD_COUNT"]) <= 96


def test_a_run_ends_before_the_host_ends_it() -> None:
    host = json.loads((ROOT / "host.json").read_text("utf-8"))
    hours, minutes, seconds = map(int, host["functionTimeout"].split(":"))
    limit = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    assert timedelta(seconds=RUN_SECONDS) < limit


def test_the_host_file_keeps_routes_and_attempts_as_designed() -> None:
    host = json.loads((ROOT / "host.json").read_text("utf-8"))
    assert host["extensions"]["http"]["routePrefix"] == ""
    assert host["extensions"]["blobs"]["poisonBlobThreshold"] == 5
    assert host["extensionBundle"]["version"] == "[4.*, 5.0.0)"
