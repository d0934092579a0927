"""The hooks around a deployment do what a template cannot, and say what to do where they fail."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from captioning.triggers import SUBJECT
from testing.harness.azd_hooks import HOOKS, Script, offer, outputs, quota, region, run
from testing.harness.bicep import INFRA
from testing.harness.bindings import bindings
from testing.paths import ROOT

OLD = offer("gpt-4o-mini", "2024-07-18", "Standard", "GlobalStandard")
DEPRECATED = offer("gpt-4o-mini", "2024-07-18", "GlobalStandard", lifecycleStatus="Deprecated")
NEXT = offer("gpt-6-luna", "2026-09-21", "GlobalStandard", "DataZoneStandard")
NEW = offer("gpt-5-mini", "2025-08-07", "GlobalStandard")
PLENTY = [
    quota(model, kind, 200.0)
    for model in ("gpt-4o-mini", "gpt-6-luna", "gpt-5-mini")
    for kind in ("GlobalStandard", "DataZoneStandard", "Standard")
]


def choice(model: str, version: str, kind: str) -> dict[str, str]:
    return {
        "MODEL_NAME": model,
        "MODEL_VERSION": version,
        "MODEL_SKU": kind,
        "MODEL_CHOSEN": f"{model} {version} {kind}",
    }


# ---- Before provisioning ------------------------------------------------------------------------


def test_the_first_model_that_can_be_deployed_is_taken(tmp_path: Path) -> None:
    ran = run("preprovision", tmp_path, region([NEW, NEXT, OLD], PLENTY))
    assert (ran.code, ran.errors) == (0, "")
    assert ran.chosen() == choice("gpt-4o-mini", "2024-07-18", "GlobalStandard")
    assert "gpt-4o-mini 2024-07-18 (GlobalStandard, 100,000 tokens a minute)" in ran.said


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ("", "At most 5 US dollars a day are spent"),
        ("20", "At most 20 US dollars a day are spent"),
        ("none", "No daily budget: only the quotas limit"),
    ],
)
def test_it_says_what_a_day_may_cost(tmp_path: Path, budget: str, said: str) -> None:
    ran = run("preprovision", tmp_path, region([OLD], PLENTY), DAILY_BUDGET_USD=budget)
    assert ran.code == 0
    assert said in ran.said


@pytest.mark.parametrize("models", [[DEPRECATED, NEXT, NEW], [NEXT, NEW]])
def test_a_model_that_is_gone_is_passed_over(tmp_path: Path, models: list[Any]) -> None:
    ran = run("preprovision", tmp_path, region(models, PLENTY))
    assert ran.chosen() == choice("gpt-6-luna", "2026-09-21", "GlobalStandard")
    assert "gpt-4o-mini: not open to new deployments in westeurope" in ran.said


def test_another_kind_of_deployment_will_do(tmp_path: Path) -> None:
    """The quota is one for each model and kind, and is in part used."""
    quotas = [
        quota("gpt-4o-mini", "GlobalStandard", 150.0, 100.0),
        quota("gpt-4o-mini", "Standard", 100.0),
    ]
    ran = run("preprovision", tmp_path, region([OLD], quotas))
    assert ran.chosen() == choice("gpt-4o-mini", "2024-07-18", "Standard")


def test_the_quota_must_suffice(tmp_path: Path) -> None:
    quotas = [quota("gpt-4o-mini", "GlobalStandard", 99.0), *PLENTY[3:]]
    script = region([OLD, NEXT], quotas)
    ran = run("preprovision", tmp_path, script)
    assert ran.chosen()["MODEL_NAME"] == "gpt-6-luna"
    assert "GlobalStandard has 99,000 tokens a minute left" in ran.said
    (tmp_path / "less").mkdir()
    less = run("preprovision", tmp_path / "less", script, MODEL_TOKENS_PER_MINUTE="99000")
    assert less.chosen()["MODEL_NAME"] == "gpt-4o-mini"


def test_the_default_version_is_taken(tmp_path: Path) -> None:
    newer = offer("gpt-4o-mini", "2026-01-01", "GlobalStandard", isDefaultVersion=False)
    ran = run("preprovision", tmp_path, region([newer, OLD], PLENTY))
    assert ran.chosen()["MODEL_VERSION"] == "2024-07-18"


def test_no_model_at_all(tmp_path: Path) -> None:
    ran = run("preprovision", tmp_path, region([DEPRECATED], []))
    assert ran.code == 1
    assert not ran.chosen()
    for name in (HOOKS / "models.txt").read_text("utf-8").split("\n"):
        if name and not name.startswith("#"):
            assert f"  {name}: not open" in ran.errors
    assert "azd env set MODEL_LOCATION REGION" in ran.errors


@pytest.mark.parametrize("missing", [{"skus": None}, {"skus": []}, {"lifecycleStatus": None}])
def test_odd_answers_are_coped_with(tmp_path: Path, missing: dict[str, Any]) -> None:
    odd = offer("gpt-4o-mini", "2024-07-18", "GlobalStandard", **missing)
    ran = run("preprovision", tmp_path, region([odd, NEW], PLENTY))
    assert ran.code == 0
    assert ran.chosen()["MODEL_NAME"] == ("gpt-5-mini" if "skus" in missing else "gpt-4o-mini")


def test_an_explicit_model_wins(tmp_path: Path) -> None:
    script = region([OLD, NEW], PLENTY)
    ran = run("preprovision", tmp_path, script, MODEL_NAME="gpt-5-mini")
    assert ran.chosen() == choice("gpt-5-mini", "2025-08-07", "GlobalStandard")


def test_an_explicit_model_that_is_not_there_is_refused(tmp_path: Path) -> None:
    ran = run("preprovision", tmp_path, region([OLD], PLENTY), MODEL_NAME="gpt-5-mini")
    assert ran.code == 1
    assert "gpt-5-mini: not open" in ran.errors
    assert "gpt-4o-mini:" not in ran.errors


def test_what_is_said_in_full_is_not_questioned(tmp_path: Path) -> None:
    """Nor is an earlier choice: its own deployment has used up the quota by now."""
    chosen = choice("gpt-4o-mini", "2024-07-18", "GlobalStandard")
    ran = run("preprovision", tmp_path, region([], []), **chosen)
    assert ran.code == 0
    assert not ran.times("az", "cognitiveservices", "model")
    assert "gpt-4o-mini 2024-07-18 (GlobalStandard), as set in this environment" in ran.said


def test_an_earlier_choice_does_not_stand_in_the_way_of_another_model(tmp_path: Path) -> None:
    chosen = choice("gpt-4o-mini", "2024-07-18", "GlobalStandard") | {"MODEL_NAME": "gpt-5-mini"}
    ran = run("preprovision", tmp_path, region([OLD, NEW], PLENTY), **chosen)
    assert ran.chosen() == choice("gpt-5-mini", "2025-08-07", "GlobalStandard")


def test_a_model_can_be_chosen_anew(tmp_path: Path) -> None:
    chosen = choice("gpt-5-mini", "2025-08-07", "GlobalStandard") | {"MODEL_NAME": ""}
    ran = run("preprovision", tmp_path, region([OLD, NEW], PLENTY), **chosen)
    assert ran.chosen()["MODEL_NAME"] == "gpt-4o-mini"


WRONG_REGIONS = [
    ({"AZURE_LOCATION": "nowhere"}, {}, "nowhere has no Flex Consumption", "AZURE_LOCATION"),
    (
        {"VISION_LOCATION": "italynorth"},
        {"az cognitiveservices account list-skus": [[{"name": "F0"}]]},
        "italynorth has no Azure AI Vision",
        "VISION_LOCATION",
    ),
]


@pytest.mark.parametrize(("environ", "answers", "said", "advice"), WRONG_REGIONS)
def test_a_wrong_region_is_told_before_anything_is_made(
    tmp_path: Path, environ: dict[str, str], answers: Script, said: str, advice: str
) -> None:
    ran = run("preprovision", tmp_path, region([OLD], PLENTY) | answers, **environ)
    assert ran.code == 1
    assert not ran.chosen()
    assert said in ran.errors
    assert f"azd env set {advice}" in ran.errors


def test_services_are_looked_for_where_they_are_to_be(tmp_path: Path) -> None:
    where = {"VISION_LOCATION": "francecentral", "MODEL_LOCATION": "swedencentral"}
    ran = run("preprovision", tmp_path, region([OLD], PLENTY), **where)
    regions = {c[3]: c[c.index("--location") + 1] for c in ran.asked if "--location" in c}
    assert regions == {"list-skus": "francecentral", "list": "swedencentral"}


def test_existing_accounts_are_left_alone(tmp_path: Path) -> None:
    existing = {"EXISTING_VISION_ACCOUNT_ID": "/v", "EXISTING_MODEL_ACCOUNT_ID": "/m"}
    ran = run("preprovision", tmp_path, region([], []), **existing, MODEL_NAME="gpt-4o-mini")
    assert ran.code == 0
    assert not ran.times("az", "cognitiveservices")
    (tmp_path / "unsaid").mkdir()
    unsaid = run("preprovision", tmp_path / "unsaid", region([], []), **existing)
    assert unsaid.code == 1
    assert "azd env set MODEL_NAME" in unsaid.errors


def test_nobody_is_signed_in(tmp_path: Path) -> None:
    script = region([], []) | {"az account show": [{"error": "Please run 'az login'"}]}
    ran = run("preprovision", tmp_path, script)
    assert ran.code == 1
    assert "az login" in ran.errors
    assert len(ran.asked) == 1


# ---- After deploying ----------------------------------------------------------------------------

MADE = outputs()
APP = MADE["APP_NAME"]
FUNCTIONS = [{"name": f"{APP}/{name}"} for name in ("caption_image", "health")]
NO_KEY: dict[str, Any] = {"functionKeys": {"default": "k"}, "systemKeys": {}}
KEY = {"functionKeys": {"default": "k"}, "systemKeys": {"blobs_extension": "s3cret"}}
SUBSCRIBED = {
    "provisioningState": "Succeeded",
    "destination": {"endpointBaseUrl": f"{MADE['APP_URL']}/runtime/webhooks/blobs"},
    "filter": {"subjectBeginsWith": f"{SUBJECT}images/blobs/"},
}
DEPLOYED = {"properties": {"provisioningState": "Succeeded"}}


def azure(**otherwise: list[Any]) -> Script:
    """What Azure says once the app is deployed."""
    answers: Script = {
        "functions": [FUNCTIONS],
        "keys": [KEY],
        "create": [DEPLOYED],
        "show": [SUBSCRIBED],
    }
    answers |= otherwise
    return {
        "az functionapp function list": answers["functions"],
        "az functionapp keys list": answers["keys"],
        "az deployment group create": answers["create"],
        "az eventgrid system-topic event-subscription show": answers["show"],
    }


def test_the_app_is_told_of_new_images(tmp_path: Path) -> None:
    ran = run("postdeploy", tmp_path, azure(), **MADE)
    assert (ran.code, ran.errors) == (0, "")
    [create] = [command for command in ran.asked if command[1] == "deployment"]
    given = dict(one.split("=", 1) for one in create if re.match(r"\w+=", one))
    stored = (INFRA / "snapshots/webhook.bicepparam").read_text("utf-8")
    assert given == dict(re.findall(r"^param (\w+) = '(.*)'", stored, re.MULTILINE))
    template = create[create.index("--template-file") + 1]
    assert (ROOT / template).resolve() == INFRA / "events.bicep"
    assert "Event Grid sends the app events of new images in images." in ran.said


def test_a_late_key_is_waited_for(tmp_path: Path) -> None:
    broken = {"error": "The service is unavailable"}
    keys = [broken, {"systemKeys": None}, NO_KEY, KEY]
    ran = run("postdeploy", tmp_path, azure(functions=[broken, [], FUNCTIONS], keys=keys), **MADE)
    assert ran.code == 0
    assert ran.times("az", "functionapp", "keys") == 4
    assert ran.said.count("Waiting for the app") == 1


def test_a_key_that_never_comes_is_told(tmp_path: Path) -> None:
    ran = run("postdeploy", tmp_path, azure(keys=[NO_KEY]), **MADE)
    assert ran.code == 1
    assert ran.times("az", "functionapp", "keys") == 30
    assert not ran.times("az", "deployment")
    assert "no key blobs_extension" in ran.errors
    assert "azd hooks run postdeploy" in ran.errors


def test_an_app_without_the_function_is_told_of_nothing(tmp_path: Path) -> None:
    """Its webhook would answer 202 all the same, and lose every event."""
    others = [{"name": f"{APP}/caption_images_2"}, {"name": f"{APP}/health"}]
    ran = run("postdeploy", tmp_path, azure(functions=[others]), **MADE)
    assert ran.code == 1
    assert not ran.times("az", "deployment")
    assert "does not have the function caption_image" in ran.errors


def test_it_may_be_run_again(tmp_path: Path) -> None:
    """The subscription exists: the same is deployed over it, and looked at again."""
    for _ in range(2):
        assert run("postdeploy", tmp_path, azure(), **MADE).code == 0


def test_a_handshake_that_fails_is_tried_again(tmp_path: Path) -> None:
    failed = {"error": "Webhook validation handshake failed"}
    ran = run("postdeploy", tmp_path, azure(create=[failed, failed, DEPLOYED]), **MADE)
    assert ran.code == 0
    assert ran.times("az", "deployment") == 3


def test_a_subscription_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    failed = {"error": "Endpoint URL cannot be updated"}
    ran = run("postdeploy", tmp_path, azure(create=[failed]), **MADE)
    assert ran.code == 1
    assert ran.times("az", "deployment") == 5
    assert "event-subscription delete" in ran.errors
    assert "Endpoint URL cannot be updated" in ran.errors


WRONG = [
    {"provisioningState": "AwaitingManualAction"},
    {"destination": {"endpointBaseUrl": "https://other.azurewebsites.net/runtime/webhooks/blobs"}},
    {"filter": {"subjectBeginsWith": f"{SUBJECT}images"}},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_subscription_that_is_not_as_it_should_be_is_told(
    tmp_path: Path, wrong: dict[str, Any]
) -> None:
    ran = run("postdeploy", tmp_path, azure(show=[SUBSCRIBED | wrong]), **MADE)
    assert ran.code == 1
    assert "is not as it should be" in ran.errors


def test_no_key_is_ever_shown(tmp_path: Path) -> None:
    ran = run("postdeploy", tmp_path, azure(), **MADE)
    assert "s3cret" not in ran.said + ran.errors + str(ran.asked)


def test_it_says_how_to_go_on(tmp_path: Path) -> None:
    said = run("postdeploy", tmp_path, azure(), **MADE).said
    assert f"{MADE['APP_URL']}/api/health" in said
    assert "az functionapp keys list" in said
    assert f"--account-name {MADE['IMAGES_ACCOUNT']} -c images" in said
    assert (ROOT / "samples/cat.jpg").exists()
    assert "Gallery" not in said
    with_gallery = azure(functions=[[*FUNCTIONS, {"name": f"{APP}/gallery"}]])
    assert (
        f"Gallery         {MADE['APP_URL']}/\n"
        in run("postdeploy", tmp_path, with_gallery, **MADE).said
    )


# ---- Both shells --------------------------------------------------------------------------------


def test_the_function_is_the_one_that_there_is() -> None:
    [function] = bindings("blobTrigger")
    assert f"\nfunction={function}\n" in (HOOKS / "postdeploy.sh").read_text("utf-8")


def test_shellcheck_says_nothing() -> None:
    files = sorted(HOOKS.glob("*.sh"))
    assert len(files) == 2
    done = subprocess.run(
        ["shellcheck", *map(str, files)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def commands(file: Path) -> list[str]:
    """Every `az` and `azd` command of a hook in order, quotes and case of variables aside."""
    text = re.sub(r"^\s*#.*$", "", file.read_text("utf-8"), flags=re.MULTILINE)
    text = re.sub(r"\$env:(\w+)", r"$\1", text)
    text = re.sub(r"`\"?az[^`]*`", "", text) if file.suffix == ".sh" else text
    found = re.findall(
        r"(?:\$\(|^\s*|= )(azd? (?!login)[a-z][^\n]*?)(?:\)$|\) \|\||$)", text, re.MULTILINE
    )
    return [_plain(command) for command in found]


def _plain(command: str) -> str:
    command = re.sub(r" 2>(/dev/null|\$null).*", "", command)
    command = re.sub(r"\$\{?(\w+)\}?", lambda name: f"${name[1].lower().replace('_', '')}", command)
    return re.sub(r"[\"'\\]", "", command).strip()


@pytest.mark.parametrize("hook", ["preprovision", "postdeploy"])
def test_both_shells_give_the_same_commands_in_the_same_order(hook: str) -> None:
    posix, windows = (commands(HOOKS / f"{hook}{end}") for end in (".sh", ".ps1"))
    assert len(posix) >= 4
    assert windows == posix
