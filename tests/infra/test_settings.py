"""The app settings that are deployed are the app's settings, no more and no less."""

from __future__ import annotations

import json
import re

import pytest

from captioning.budget.prices import PriceList
from captioning.config.definitions import SETTINGS
from captioning.config.settings import Settings
from testing.harness.deployment import WHOLE, deployment
from testing.markdown import SETTINGS_PAGE
from testing.paths import ROOT

TABLE = {setting.name: setting for setting in SETTINGS}
SAMPLE = json.loads((ROOT / "local.settings.sample.json").read_text("utf-8"))

NOT_IN_AZURE = {
    "ImageStorage": "a connection string is a key; the identity and three addresses stand for it",
    "VISION_KEY": "the app's identity has a role",
    "AZURE_OPENAI_API_KEY": "the app's identity has a role",
    "OPENAI_BASE_URL": "for CAPTION_PROVIDER=openai: a server of one's own",
    "OPENAI_API_KEY": "the same",
    "CAPTION_PROMPT_FILE": "a file that comes with the app; parameter `settings` names it",
    "TAG_VOCABULARY_FILE": "the same",
    "PRICES_FILE": "the same",
    "NOTIFY_URL": "a secret, mostly: parameter `settings` has a Key Vault reference",
    "NOTIFY_KEY": "the same",
}
ONLY_ON_A_LAPTOP = {
    "FUNCTIONS_WORKER_RUNTIME": "Flex Consumption has it in functionAppConfig and refuses it here",
    "AzureWebJobsStorage": "a connection string; the identity and three addresses stand for it",
    **NOT_IN_AZURE,
}
OTHERWISE_IN_AZURE = {
    "BLOB_TRIGGER_SOURCE": "no Event Grid on a laptop",
    "VISION_PROVIDER": "the embedded stand-in is for trying things out",
    "CAPTION_PROVIDER": "the same",
    "VISION_ENDPOINT": "the sample has a place to fill in",
    "AZURE_OPENAI_ENDPOINT": "the same",
    "PYTHON_THREADPOOL_THREAD_COUNT": "worked out from the quotas",
}
HOSTS_OWN = re.compile(
    r"AzureWebJobs|AzureFunctionsJobHost__|PYTHON_|APPLICATIONINSIGHTS_|OTEL_PYTHON_"
)
REFUSED_BY_FLEX = re.compile(
    r"FUNCTIONS_WORKER_RUNTIME|FUNCTIONS_EXTENSION_VERSION|WEBSITE_|SCM_DO_BUILD|ENABLE_ORYX"
)


@pytest.mark.parametrize("name", WHOLE)
def test_every_setting_of_the_app_is_set_or_left_out_for_a_reason(name: str) -> None:
    settings = deployment(name).settings()
    ours = {setting for setting in settings if not HOSTS_OWN.match(setting)}
    assert ours == TABLE.keys() - NOT_IN_AZURE.keys()


@pytest.mark.parametrize("name", WHOLE)
def test_the_app_takes_them(name: str) -> None:
    """The app's own check finds nothing wrong, nor that a budget lacks a price."""
    parsed = Settings.from_environ(deployment(name).settings())
    assert parsed.storage.managed
    assert parsed.storage.client_id
    assert parsed.blob_trigger_source == "EventGrid"


def test_azd_deploys_a_daily_budget_unless_told_not_to() -> None:
    parameters = json.loads((ROOT / "infra/main.parameters.json").read_text("utf-8"))["parameters"]
    assert parameters["dailyBudgetUsd"] == {"value": "${DAILY_BUDGET_USD=5}"}
    template = (ROOT / "infra/main.bicep").read_text("utf-8")
    assert "param dailyBudgetUsd string = '5'" in template
    assert deployment("new").settings()["DAILY_BUDGET_USD"] == "5"
    assert deployment("no-budget").settings()["DAILY_BUDGET_USD"] == ""


def test_they_are_those_of_the_sample() -> None:
    sample = SAMPLE["Values"] | SAMPLE["InsteadOfImageStorageInAzure"]
    settings = deployment("no-budget").settings()
    in_both = sample.keys() & settings.keys()
    assert sample.keys() - in_both == ONLY_ON_A_LAPTOP.keys()
    different = {name for name in in_both if sample[name] != settings[name]}
    of_the_account = {name for name in different if name.startswith("ImageStorage__")}
    assert different - of_the_account == OTHERWISE_IN_AZURE.keys()


def test_those_of_the_host_are_documented() -> None:
    """Each by its name, with its value where it is the same for everybody."""
    for name, value in deployment("new").settings().items():
        if not HOSTS_OWN.match(name) or name.startswith("AzureWebJobsStorage__"):
            continue
        assert f"`{name}" in SETTINGS_PAGE, name
        if name.startswith(("OTEL_", "PYTHON_APPLICATIONINSIGHTS_")):
            assert f"{name}={value}" in SETTINGS_PAGE


@pytest.mark.parametrize("name", WHOLE)
def test_none_is_one_that_flex_consumption_refuses(name: str) -> None:
    assert not [found for found in deployment(name).settings() if REFUSED_BY_FLEX.match(found)]


def test_further_settings_win() -> None:
    assert deployment("existing").settings()["CAPTION_DETAIL"] == "high"
    assert deployment("new").settings()["CAPTION_DETAIL"] == "low"


def test_a_model_that_reasons_may_answer_at_length() -> None:
    plain, reasoning = (
        int(deployment(name).settings()["CAPTION_MAX_TOKENS"]) for name in ("new", "elsewhere")
    )
    assert plain == int(TABLE["CAPTION_MAX_TOKENS"].default)
    assert reasoning >= 4 * plain


def test_every_candidate_has_a_price() -> None:
    """Or an app with a budget would refuse it at start."""
    lines = (ROOT / "infra/hooks/models.txt").read_text("utf-8").splitlines()
    candidates = [line for line in lines if line and not line.startswith("#")]
    assert candidates[0] == TABLE["CAPTION_MODEL"].default
    assert len(set(candidates)) == len(candidates) >= 4
    prices = PriceList.load()
    assert [name for name in candidates if not prices.has_model(name)] == []


def test_the_code_knows_no_model_by_name() -> None:
    """But for the default of CAPTION_MODEL; prices are a file."""
    named = [
        f"{file.name}: {line.strip()}"
        for file in [*(ROOT / "captioning").rglob("*.py"), ROOT / "function_app.py"]
        for line in file.read_text("utf-8").splitlines()
        if re.search(r"gpt-\d", line) and not line.lstrip().startswith(("#", '"""'))
    ]
    assert all("CAPTION_MODEL" in line or "prices" in line for line in named), named


def test_python_is_one_that_the_app_supports() -> None:
    runtime = deployment("new").one("Web/sites")["properties"]["functionAppConfig"]["runtime"]
    assert runtime == {"name": "python", "version": "3.12"}
