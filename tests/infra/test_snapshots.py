"""The infrastructure compiles without a fault, and its stored snapshots are what it makes.

Those that compile are skipped where there is no Bicep compiler, but on CI, where they fail. The
tests that only read snapshots run everywhere.
To renew the snapshots: `python -m testing.harness.renew_snapshots`, and look at the difference.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from testing.harness.bicep import INFRA, SNAPSHOTS, bicep, needs_compiler, snapshot
from testing.harness.deployment import SCENARIOS, deployment
from testing.paths import ROOT

RULES = json.loads((ROOT / "bicepconfig.json").read_text("utf-8"))["analyzers"]["core"]["rules"]


@needs_compiler
def test_the_linter_says_nothing() -> None:
    done = bicep("lint", "--pattern", "infra/*.bicep")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_compiler
def test_it_builds_without_a_warning(tmp_path: Path) -> None:
    done = bicep("build", INFRA / "main.bicep", "--outfile", tmp_path / "main.json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads((tmp_path / "main.json").read_text("utf-8"))["resources"]


def test_every_rule_that_is_asked_for_is_an_error() -> None:
    assert {rule["level"] for rule in RULES.values()} == {"error"}
    assert {"use-recent-api-versions", "outputs-should-not-contain-secrets"} <= RULES.keys()


@needs_compiler
def test_a_fault_is_found(tmp_path: Path) -> None:
    """The rules are those of the project: an old API version is one of the faults."""
    bad = tmp_path / "bad.bicep"
    bad.write_text(
        "resource a 'Microsoft.Storage/storageAccounts@2019-06-01' existing = { name: 'a' }"
    )
    done = bicep("lint", bad, "--config", ROOT / "bicepconfig.json")
    assert done.returncode
    assert "use-recent-api-versions" in done.stdout + done.stderr


@needs_compiler
def test_the_files_are_formatted(tmp_path: Path) -> None:
    shutil.copytree(INFRA, tmp_path / "infra")
    assert not bicep("format", "--pattern", f"{tmp_path}/infra/*.bicep").returncode
    for file in INFRA.glob("*.bicep"):
        formatted = tmp_path / "infra" / file.name
        assert formatted.read_text("utf-8") == file.read_text("utf-8"), file.name


@needs_compiler
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_stored_snapshot_is_what_would_be_deployed(name: str) -> None:
    done = snapshot(SNAPSHOTS / f"{name}.bicepparam", "validate")
    assert done.returncode == 0, (
        f"{done.stdout}{done.stderr}\n`python -m testing.harness.renew_snapshots`"
    )


@needs_compiler
def test_a_snapshot_that_differs_is_noticed(tmp_path: Path) -> None:
    shutil.copytree(INFRA, tmp_path / "infra")
    parameters = tmp_path / "infra/snapshots/webhook.bicepparam"
    assert snapshot(parameters, "validate").returncode == 0
    events = tmp_path / "infra/events.bicep"
    events.write_text(events.read_text("utf-8").replace("/blobs/'", "/blobs'"), "utf-8")
    assert snapshot(parameters, "validate").returncode


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_snapshot_leaves_nothing_open_but_what_only_azure_knows(name: str) -> None:
    """Values that tests do not know would pass them unseen."""
    assert '"[' not in json.dumps(deployment(name).resources)


def test_every_parameter_and_output_is_described() -> None:
    for file in INFRA.glob("*.bicep"):
        text = file.read_text("utf-8")
        named = re.findall(r"((?:^@.*\n)*)^(?:param|output) (\w+)", text, re.MULTILINE)
        undescribed = [name for decorators, name in named if "@description(" not in decorators]
        assert not undescribed, file.name


def test_azd_sets_every_parameter_that_somebody_may_set() -> None:
    """main.parameters.json names each parameter of main.bicep, and no other."""
    text = (INFRA / "main.bicep").read_text("utf-8")
    given = json.loads((INFRA / "main.parameters.json").read_text("utf-8"))["parameters"]
    assert set(re.findall(r"^param (\w+)", text, re.MULTILINE)) == given.keys()


def test_every_resource_that_can_has_the_tag_of_azd() -> None:
    for resource in deployment("new").resources:
        if "location" in resource:
            assert resource["tags"]["azd-env-name"] == "captions", resource["id"]
    assert deployment("new").one("Web/sites")["tags"]["azd-service-name"] == "app"
