"""How much the app does at a time follows from the quotas: never nothing, never beyond a limit."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from testing.code_figures import figure_of
from testing.harness.bicep import INFRA, needs_compiler, snapshot
from testing.harness.bindings import bindings
from testing.harness.deployment import WHOLE, deployment, plausible
from testing.markdown import INTERNALS, section
from testing.paths import ROOT

HOST = "AzureFunctionsJobHost__extensions__"
MOST_AT_WORK, MOST_INSTANCES, CORES = 16, 100, 250
HTTP = 16
BLOBS, QUEUES = "blobs.maxDegreeOfParallelism", ("queues.batchSize", "queues.newBatchThreshold")
RECORDED = json.loads((ROOT / "tests/embedded/host/recorded/at_work.json").read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class Case:
    """Quotas, and how many images they keep at work."""

    model: str
    features: str
    vision: int
    tokens: int
    wanted: int


CASES = (
    Case("gpt-4o-mini", "tags,objects,read", 1, 1_000, 1),
    Case("gpt-4o-mini", "tags,objects,read", 10, 100_000, 2),
    Case("gpt-4o-mini", "tags,objects,read", 10, 1_000_000, 15),
    Case("gpt-4o-mini", "tags,objects,read", 10, 10_000_000, 40),
    Case("gpt-4o-mini", "tags,brands", 10, 10_000_000, 20),
    Case("gpt-4o-mini", "tags, adult", 10, 10_000_000, 20),
    Case("gpt-4.1-mini", "tags,objects,read", 30, 5_000_000, 71),
    Case("gpt-5-mini", "tags,objects,read", 10, 1_000_000, 22),
    Case("gpt-5-mini", "tags,objects,read", 10, 100_000_000, 100),
    Case("some-other-model", "tags,objects,read", 10, 1_000_000, 22),
    Case("gpt-4o-mini", "tags,objects,read", 1_000, 100_000_000, 1419),
    Case("gpt-5-nano", "tags,objects,read", 1_000, 100_000_000, 2165),
)
"""From the least that may be said to the most. By hand: `vision` * 60 images a minute (half with
features that only 3.2 has), or `tokens` by 4,700 (7,700 with models that reason) if that is less;
times 4 (10) seconds an image, by 60, rounded up."""

WRAPPER = """
param cases array = [
{cases}]
module app 'app.bicep' = [
  for (case, i) in cases: {{
    params: {{
      location: 'westeurope'
      tags: {{}}
      appName: 'app-${{i}}'
      planName: 'plan-${{i}}'
      identityName: 'id'
      imagesAccountName: 'images'
      hostAccountName: 'host'
      packageContainer: 'package'
      insightsName: 'insights'
      visionAccountId: '{account}'
      modelAccountId: '{account}'
      imagesContainer: 'images'
      captionsTable: 'captions'
      modelName: case.model
      modelDeployment: case.model
      modelTokensPerMinute: case.tokens
      visionFeatures: case.features
      visionCallsPerSecond: case.vision
      captionInput: 'image'
      captionLanguages: 'en'
      dailyBudgetUsd: ''
      monthlyBudgetUsd: ''
      settings: {{}}
      instanceMemoryMB: 2048
    }}
  }}
]
"""
ACCOUNT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/a"


@dataclass(frozen=True, slots=True)
class Scale:
    """What is deployed."""

    instances: int
    blobs: int
    batch: int
    threshold: int
    threads: int
    http: int

    @classmethod
    def of(cls, site: dict[str, object], settings: dict[str, str]) -> Scale:
        config = json.loads(json.dumps(site))["properties"]["functionAppConfig"]
        scale = config["scaleAndConcurrency"]
        return cls(
            scale["maximumInstanceCount"],
            int(settings[f"{HOST}blobs__maxDegreeOfParallelism"]),
            int(settings[f"{HOST}queues__batchSize"]),
            int(settings[f"{HOST}queues__newBatchThreshold"]),
            int(settings["PYTHON_THREADPOOL_THREAD_COUNT"]),
            scale["triggers"]["http"]["perInstanceConcurrency"],
        )


@cache
def scales(folder: Path) -> list[Scale]:
    """What app.bicep makes of each case; the compiler runs once."""
    cases = "".join(
        f"  {{ model: '{c.model}', features: '{c.features}', vision: {c.vision},"
        f" tokens: {c.tokens} }}\n"
        for c in CASES
    )
    shutil.copy(INFRA / "app.bicep", folder)
    (folder / "wrapper.bicep").write_text(WRAPPER.format(cases=cases, account=ACCOUNT))
    (folder / "wrapper.bicepparam").write_text("using 'wrapper.bicep'\n")
    done = snapshot(folder / "wrapper.bicepparam", "overwrite")
    assert done.returncode == 0, done.stderr
    found = json.loads((folder / "wrapper.snapshot.json").read_text("utf-8-sig"))
    made = {r["name"]: plausible(r) for r in found["predictedResources"]}
    return [
        Scale.of(made[f"app-{i}"], made[f"app-{i}/appsettings"]["properties"])
        for i in range(len(CASES))
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("concurrency")


def recorded(**setting: object) -> float:
    """How many were at work on the average where that was recorded."""
    [found] = [float(row["varied"]) for row in RECORDED if row.items() >= setting.items()]
    return found


def check(scale: Scale) -> None:
    """What holds for any quota."""
    messages = scale.batch + scale.threshold
    assert 1 <= scale.instances <= MOST_INSTANCES
    assert 1 <= scale.blobs <= figure_of(f"host.json extensions.{BLOBS}")
    assert 1 <= messages <= sum(figure_of(f"host.json extensions.{q}") for q in QUEUES)
    assert scale.batch == max(messages // 6, 1)
    assert scale.http == HTTP
    assert scale.threads == scale.blobs + len(bindings("queueTrigger")) * messages + HTTP
    assert 2 * scale.instances <= CORES


@needs_compiler
@pytest.mark.parametrize("case", CASES, ids=str)
def test_as_many_images_are_at_work_as_the_quotas_give(folder: Path, case: Case) -> None:
    """By the recorded shares: 16 of 24 blobs, 10 of 12 messages."""
    scale = scales(folder)[CASES.index(case)]
    check(scale)
    wanted = min(case.wanted, MOST_AT_WORK * MOST_INSTANCES)
    assert wanted <= scale.instances * scale.blobs * 16 / 24 < 1.2 * wanted + 1
    messages = scale.instances * (scale.batch + scale.threshold)
    assert messages == scale.instances * 12 or wanted <= messages * 10 / 12 < 1.2 * wanted + 1


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_deployed_holds_together(name: str) -> None:
    found = deployment(name)
    check(Scale.of(found.one("Web/sites"), found.settings()))


def test_the_shares_are_those_that_were_recorded() -> None:
    """The most is what host.json has. What docs/operate.md says of a budget's overshoot holds in
    Azure as well."""
    blobs = figure_of(f"host.json extensions.{BLOBS}")
    batch, threshold = (figure_of(f"host.json extensions.{q}") for q in QUEUES)
    assert (bicep("blobPlaces"), bicep("messagePlaces")) == (blobs, batch + threshold)
    assert bicep("blobsAtWork") == MOST_AT_WORK == int(recorded(blobs=blobs))
    assert bicep("messagesAtWork") == int(recorded(queue=[batch, threshold]))


def test_what_was_recorded_is_as_told() -> None:
    told = section(INTERNALS, "Places stand empty")
    blobs, batch, more = (int(figure_of(f"host.json extensions.{n}")) for n in (BLOBS, *QUEUES))
    ours = {f"blobs {blobs}", f"messages {batch} + {more}"}
    for row in RECORDED:
        name = (
            f"blobs {row['blobs']}" if "blobs" in row else "messages {} + {}".format(*row["queue"])
        )
        label = f"{name}, as in `host.json`" if name in ours else name
        assert f"| {label} | {row['most']} | {row['varied']} |" in told


def bicep(name: str) -> int:
    """A variable of app.bicep."""
    text = (INFRA / "app.bicep").read_text("utf-8")
    [found] = re.findall(rf"^var {name} = (\d+)$", text, re.MULTILINE)
    return int(found)


def test_the_deployment_of_the_model_has_the_quota_that_the_app_counts_on() -> None:
    for name, tokens in (("new", 100_000), ("elsewhere", 2_000_000)):
        made = deployment(name).one("CognitiveServices/accounts/deployments")
        assert made["sku"]["capacity"] * 1_000 == tokens
