"""Settings: every bad one is named at once, and none of them by its value."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
from azure.core.credentials import TokenCredential

from captioning import triggers
from captioning.app import timeouts
from captioning.app.clients import ServiceClients
from captioning.budget.prices import BUILT_IN
from captioning.config.definitions import SETTINGS
from captioning.config.sections import QueueNames
from captioning.config.settings import CONNECT_SECONDS, Settings
from captioning.errors import SettingsError
from captioning.vision.features import supported_features
from testing.factories.settings import EMBEDDED

AZURE = {
    "ImageStorage__blobServiceUri": "https://a.blob.core.windows.net",
    "ImageStorage__queueServiceUri": "https://a.queue.core.windows.net",
    "ImageStorage__tableServiceUri": "https://a.table.core.windows.net",
    "VISION_ENDPOINT": "https://v.cognitiveservices.azure.com/",
    "AZURE_OPENAI_ENDPOINT": "https://m.openai.azure.com",
}
OPENAI = {**AZURE, "CAPTION_PROVIDER": "openai", "OPENAI_BASE_URL": "http://127.0.0.1:11434/v1"}
ACCOUNT = "AccountName=a;AccountKey=a2V5"
BAD = {
    "ImageStorage": ["s3cret", "AccountName=s3cret", "AccountKey=s3cret", "BlobEndpoint=s3cret"],
    "ImageStorage__blobServiceUri": ["http://s3cret.blob.core.windows.net", "s3cret"],
    "ImageStorage__queueServiceUri": ["s3cret", "ftp://s3cret"],
    "ImageStorage__tableServiceUri": ["https://", "https://user:s3cret@a.example"],
    "IMAGES_CONTAINER": [
        *(
            "S3cret",
            "s3--cret",
            "s3",
            "-s3cret",
            "s3cret-",
            "s" * 53,
            "s-" * 26 + "s",
            "s3cret\u0660",
        )
    ],
    "CAPTIONS_TABLE": ["3secret", "s3-cret", "s3", "s" * 40, "Tables"],
    "BLOB_TRIGGER_SOURCE": ["s3cret", "eventgrid"],
    "MAX_IMAGE_BYTES": ["0", "104857601", "s3cret", "1.5", "-1", "9" * 5000, "\u0663"],
    "IGNORE_FILES": ["s3cret/*.txt", "*.txt,*", "*.*"],
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
    "CAPTION_PROMPT_FILE": ["/nowhere/s3cret.txt", "/", "/dev/zero", "s3\0cret"],
    "TAG_VOCABULARY_FILE": ["/nowhere/s3cret.txt", "/", "/dev/zero", __file__],
    "SUPPORT_THRESHOLD": ["1.1", "-1", "s3cret"],
    "VISION_TIMEOUT_SECONDS": ["0", "31", "s3cret"],
    "CAPTION_TIMEOUT_SECONDS": ["0", "121", "2.5"],
    "CLAIM_SECONDS": ["4", "3601", "s3cret"],
    "BURST_SECONDS": ["-1", "3601", "s3cret"],
    "FORGET_AFTER_HOURS": ["0", "8761", "s3cret"],
    "BACKUP_DAYS": ["-1", "3651", "s3cret"],
    "RECAPTIONS_PER_HOUR": ["-1", "2501", "s3cret"],
    "DAILY_BUDGET_USD": ["0", "0.00", "-1", "$5", "0,50", "1e3", "nan", ".5", "\u0665", "s3cret"],
    "MONTHLY_BUDGET_USD": ["0", "s3cret"],
    "PRICES_FILE": ["/nowhere/s3cret.json", "/", __file__],
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
    blank = dict.fromkeys(spelled.keys() - {"IGNORE_FILES"}, "  ")
    assert Settings.from_environ({**blank, **AZURE}) == unset
    assert Settings.from_environ({**AZURE, "IGNORE_FILES": " "}).ignore_files == ()
    assert unset.vision_features == ("tags", "objects", "read")
    assert (unset.max_image_bytes, unset.vision_min_confidence) == (50 * 1024 * 1024, 0.6)
    assert (unset.caption_input, unset.caption_languages) == ("image+tags", ("en",))
    assert (unset.vision_provider, unset.caption_provider) == ("azure", "azure")
    assert (unset.images_container, unset.captions_table) == ("images", "captions")
    assert unset.blob_trigger_source == "EventGrid"
    assert (unset.vision_timeout_seconds, unset.caption_timeout_seconds) == (30, 60)
    assert (unset.claim_seconds, unset.burst_seconds, unset.prices_file) == (120, 60, None)
    assert unset.forget_after_hours == 24
    assert (unset.daily_budget_usd, unset.monthly_budget_usd) == (None, None)


def test_examples_of_the_table_are_good_settings() -> None:
    examples = {row.name: row.example for row in SETTINGS if row.example}
    settings = Settings.from_environ(examples)
    assert settings.storage.managed
    assert settings.storage.connection_string is None


def test_every_setting_of_the_table_is_parsed() -> None:
    """Those of the webhook make one field, and the vocabulary is read from its file."""
    fields = {field.name for field in dataclasses.fields(Settings)}
    fields -= {"storage", "webhook", "tag_vocabulary"}
    fields |= {"notify_url", "notify_key", "tag_vocabulary_file"}
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
        ({**AZURE, "CAPTION_TIMEOUT_SECONDS": "115"}, "CLAIM_SECONDS"),
        ({**AZURE, "CLAIM_SECONDS": "65"}, "CLAIM_SECONDS"),
        (
            {**AZURE, "CLAIM_SECONDS": "35", "CAPTION_TIMEOUT_SECONDS": "1"},
            "CLAIM_SECONDS",
        ),
        ({**AZURE, "DAILY_BUDGET_USD": "5", "CAPTION_MODEL": "mine"}, "DAILY_BUDGET_USD"),
        ({**OPENAI, "MONTHLY_BUDGET_USD": "5", "CAPTION_MODEL": "mine"}, "MONTHLY_BUDGET_USD"),
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


PROMPT_PROBLEMS = {
    b"": "has no text: write instructions into it, or leave the setting empty",
    b" \n\t\xef\xbb\xbf": "has no text: write instructions into it, or leave the setting empty",
    b"one\ntwo \x00": "has a control character (U+0000, line 2): remove it",
    b"\x1b[31mred": "has a control character (U+001B, line 1): remove it",
    b"one\n\xfftwo": "is not UTF-8 text (line 2): save it as UTF-8",
    "Grüße".encode("utf-16"): "is not UTF-8 text (line 1): save it as UTF-8",
    b"x" * 20_001: "names a file of more than 20,000 bytes: shorten the file",
}


@pytest.mark.parametrize(("data", "problem"), PROMPT_PROBLEMS.items())
def test_what_is_wrong_with_a_prompt_is_named_at_the_start(
    tmp_path: Path, data: bytes, problem: str
) -> None:
    file = tmp_path / "prompt.txt"
    file.write_bytes(data)
    assert problems({**AZURE, "CAPTION_PROMPT_FILE": str(file)}) == {"CAPTION_PROMPT_FILE": problem}


def test_a_prompt_may_have_braces_tabs_and_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_bytes(b"\xef\xbb\xbfDescribe {birds}.\r\n\t" + b"x" * 19_970)
    settings = Settings.from_environ({**AZURE, "CAPTION_PROMPT_FILE": str(file)})
    assert settings.caption_prompt_file == file


def test_the_prompts_text_is_in_the_fingerprint(tmp_path: Path) -> None:
    """Its text, not its name or when it was written."""

    def never() -> TokenCredential:
        raise AssertionError

    made = []
    for name, text in [("a", "Birds."), ("b", "Birds."), ("c", "Beasts."), ("d", "\ufeffBirds.")]:
        file = tmp_path / name
        file.write_text(text, "utf-8")
        clients = ServiceClients(
            Settings.from_environ(
                {**OPENAI, "VISION_KEY": "key", "CAPTION_PROMPT_FILE": str(file)}
            ),
            never,
        )
        made.append(clients.providers.fingerprint)
        clients.close()
    assert made[0] == made[1] == made[3] != made[2]


def test_a_vocabulary_is_read_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "tags.txt"
    file.write_text("dog: puppy\n!indoor", "utf-8")
    settings = Settings.from_environ({**AZURE, "TAG_VOCABULARY_FILE": str(file)})
    assert settings.tag_vocabulary.names == {"dog": "dog", "puppy": "dog"}
    file.write_text("dog: puppy\ncat: dog", "utf-8")
    assert problems({**AZURE, "TAG_VOCABULARY_FILE": str(file)}) == {
        "TAG_VOCABULARY_FILE": "line 2 repeats a name of line 1: keep one of them"
    }


@pytest.mark.parametrize("api", ["4.0", "3.2"])
def test_every_feature_that_the_client_supports_is_allowed(api: str) -> None:
    features = supported_features(api)
    values = {**AZURE, "VISION_API": api, "VISION_FEATURES": ",".join(features)}
    assert Settings.from_environ(values).vision_features == features
    with pytest.raises(SettingsError):
        Settings.from_environ({**values, "VISION_FEATURES": "faces"})


def test_features_of_4_0_are_not_allowed_with_3_2() -> None:
    for feature in set(supported_features("4.0")) - set(supported_features("3.2")):
        values = {**AZURE, "VISION_API": "3.2", "VISION_FEATURES": feature}
        with pytest.raises(SettingsError, match=r"denseCaptions and people need VISION_API 4\.0"):
            Settings.from_environ(values)


def test_the_trigger_source_is_polling_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, source in {
        "LogsAndContainerScan": "LogsAndContainerScan",
        "": "EventGrid",
        "nonsense": "EventGrid",
    }.items():
        monkeypatch.setenv("BLOB_TRIGGER_SOURCE", value)
        assert triggers.blob_trigger_source() == source


def test_a_claim_outlasts_the_longest_call_of_the_services_that_are_asked() -> None:
    assert Settings.from_environ({**AZURE, "CLAIM_SECONDS": "87"}).claim_seconds == 87
    assert "87 or more" in problems({**AZURE, "CLAIM_SECONDS": "86"})["CLAIM_SECONDS"]
    assert (
        Settings.from_environ(
            {**EMBEDDED, "CLAIM_SECONDS": "5", "DECODE_SECONDS": "1"}
        ).claim_seconds
        == 5
    )
    alone = {
        **OPENAI,
        "VISION_PROVIDER": "none",
        "CAPTION_TIMEOUT_SECONDS": "1",
        "DECODE_SECONDS": "2",
    }
    assert Settings.from_environ({**alone, "CLAIM_SECONDS": "8"}).claim_seconds == 8
    assert "80 or more" in problems({**EMBEDDED, "CLAIM_SECONDS": "79"})["CLAIM_SECONDS"]
    assert CONNECT_SECONDS == timeouts.CONNECT_SECONDS


@pytest.mark.parametrize(
    ("text", "usd"), [("5", 5.0), ("0.50", 0.5), (" 1000.000001 ", 1000.000001)]
)
def test_a_budget_is_a_positive_number_of_dollars(text: str, usd: float) -> None:
    values = {**AZURE, "DAILY_BUDGET_USD": text, "MONTHLY_BUDGET_USD": "100"}
    settings = Settings.from_environ(values)
    assert (settings.daily_budget_usd, settings.monthly_budget_usd) == (usd, 100.0)


def test_a_budget_of_nothing_is_answered_with_advice() -> None:
    assert (
        "leave it empty for no limit"
        in problems({**AZURE, "DAILY_BUDGET_USD": "0"})["DAILY_BUDGET_USD"]
    )


def test_both_budgets_need_prices() -> None:
    both = {"DAILY_BUDGET_USD": "1", "MONTHLY_BUDGET_USD": "9"}
    assert set(problems({**AZURE, **both, "CAPTION_MODEL": "mine"})) == set(both)
    assert Settings.from_environ({**AZURE, "CAPTION_MODEL": "mine"}).daily_budget_usd is None
    dated = {**AZURE, **both, "CAPTION_MODEL": "gpt-4o-mini-2024-07-18"}
    assert Settings.from_environ(dated).daily_budget_usd == 1.0
    unpaid = {**EMBEDDED, **both, "CAPTION_MODEL": "mine"}
    assert Settings.from_environ(unpaid).daily_budget_usd == 1.0


def test_a_prices_file_can_name_the_deployment_and_must_price_the_features(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    values = {**AZURE, "PRICES_FILE": str(file), "CAPTION_MODEL": "mine", "DAILY_BUDGET_USD": "1"}
    prices = json.loads(BUILT_IN.read_text("utf-8"))
    free = {"input": 0, "output": 0}
    for changes in ({"models": {"Mine": free}}, {"default": free}):
        file.write_text(json.dumps({**prices, **changes}), "utf-8")
        assert Settings.from_environ(values).prices_file == file
    only_tags = {"verified": True, "per_1000": {"tags": 1}}
    file.write_text(json.dumps({**prices, "default": free, "vision": only_tags}), "utf-8")
    assert "VISION_FEATURES" in problems(values)["DAILY_BUDGET_USD"]
    assert Settings.from_environ({**values, "VISION_FEATURES": "tags"}).prices_file == file
    assert Settings.from_environ({**values, "VISION_PROVIDER": "none"}).prices_file == file
    assert Settings.from_environ({**values, "DAILY_BUDGET_USD": ""}).prices_file == file


def test_what_is_wrong_in_a_prices_file_is_said_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text('{"date": "2026-11-22", "s3cret": 1}', "utf-8")
    found = problems({**AZURE, "PRICES_FILE": str(file), "DAILY_BUDGET_USD": "1"})
    assert found == {"PRICES_FILE": "is no price list: currency is missing"}


@pytest.mark.parametrize(
    ("table", "deferred", "deleted"),
    [
        (None, "caption-deferred", "image-deleted"),
        ("", "caption-deferred", "image-deleted"),
        ("captions", "caption-deferred", "image-deleted"),
        ("Captions", "caption-deferred", "image-deleted"),
        ("Holidays", "holidays-caption-deferred", "holidays-image-deleted"),
        ("T" * 39, f"{'t' * 39}-caption-deferred", f"{'t' * 39}-image-deleted"),
    ],
)
def test_queues_are_called_after_the_table(
    monkeypatch: pytest.MonkeyPatch, table: str | None, deferred: str, deleted: str
) -> None:
    monkeypatch.delenv("CAPTIONS_TABLE", raising=False)
    if table is not None:
        monkeypatch.setenv("CAPTIONS_TABLE", table)
    settings = Settings.from_environ({**AZURE, "CAPTIONS_TABLE": table or ""})
    assert (triggers.queues().deferred, triggers.queues().deleted) == (deferred, deleted)
    assert settings.queues == triggers.queues()
    for queue in (deferred, deleted):
        assert re.fullmatch(r"[a-z0-9](-?[a-z0-9])*", queue)
        assert 3 <= len(f"{queue}-poison") <= 63
    for suffix in ("index", "reuse", "bursts", "state", "usage"):
        assert 3 <= len(f"{settings.captions_table}{suffix}") <= 63


@pytest.mark.parametrize("table", ["s3-cret", "t" * 40, "3t", "tables", "a b", "\u00e9t\u00e9"])
def test_a_bad_table_does_not_keep_the_host_from_starting(
    monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    monkeypatch.setenv("CAPTIONS_TABLE", table)
    assert triggers.queues() == QueueNames("caption-deferred", "image-deleted", "caption-notify")
