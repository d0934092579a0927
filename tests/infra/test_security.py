"""No key, no connection string and no public data in anything that is deployed."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testing.harness.deployment import SCENARIOS, WHOLE, deployment
from testing.paths import ROOT

SECRET = re.compile(
    r"AccountKey=|SharedAccessSignature|[?&]sig=|listKeys|listAccountSas|\.key1|\.primaryKey"
    r"|password|secret",
    re.IGNORECASE,
)


def values(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with the path to it."""
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for name, one in inner:
            yield from values(one, f"{path}/{name}")
    else:
        yield path, value


@pytest.mark.parametrize("name", WHOLE)
def test_nothing_holds_a_secret(name: str) -> None:
    """The connection string of Application Insights names the resource, which takes no key."""
    for resource in deployment(name).resources:
        for path, value in values(resource):
            assert not SECRET.search(f"{path} {value}"), (resource["id"], path)
    assert not SECRET.search(json.dumps(deployment(name).outputs))


def test_the_one_key_there_is_goes_from_the_app_to_event_grid() -> None:
    keys = [
        path
        for resource in deployment("webhook").resources
        for path, value in values(resource)
        if "<" in str(value)
    ]
    assert keys == ["/properties/destination/properties/endpointUrl"]


@pytest.mark.parametrize("name", WHOLE)
def test_nobody_has_a_key(name: str) -> None:
    found = deployment(name)
    for account in found.of("Storage/storageAccounts"):
        assert account["properties"]["allowSharedKeyAccess"] is False
    for account in found.of("CognitiveServices/accounts"):
        assert account["properties"]["disableLocalAuth"] is True
        assert account["properties"]["customSubDomainName"] == account["name"]
    assert found.one("Insights/components")["properties"]["DisableLocalAuth"] is True
    workspace = found.one("OperationalInsights/workspaces")["properties"]
    assert workspace["features"]["disableLocalAuth"] is True
    policies = found.of("Web/sites/basicPublishingCredentialsPolicies")
    assert [policy["properties"]["allow"] for policy in policies] == [False, False]


@pytest.mark.parametrize("name", WHOLE)
def test_no_blob_is_public(name: str) -> None:
    found = deployment(name)
    for account in found.of("Storage/storageAccounts"):
        assert account["properties"]["allowBlobPublicAccess"] is False
    containers = found.of("Storage/storageAccounts/blobServices/containers")
    assert {container["properties"]["publicAccess"] for container in containers} == {"None"}


@pytest.mark.parametrize("name", WHOLE)
def test_everything_is_encrypted_on_its_way(name: str) -> None:
    found = deployment(name)
    for account in found.of("Storage/storageAccounts"):
        assert account["properties"]["supportsHttpsTrafficOnly"] is True
        assert account["properties"]["minimumTlsVersion"] == "TLS1_2"
    site = found.one("Web/sites")["properties"]
    assert site["httpsOnly"] is True
    assert site["siteConfig"]["minTlsVersion"] == site["siteConfig"]["scmMinTlsVersion"] == "1.2"


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_address_is_https(name: str) -> None:
    text = json.dumps(deployment(name).resources)
    assert "http://" not in text.replace("http://schema", "")


# ---- What checkov says ---------------------------------------------------------------------------

CHECKOV = ROOT / ".venv-checkov/bin/checkov"
EXCEPTIONS = {
    "CKV_AZURE_13": "App Service Authentication would shut out Event Grid; function keys guard",
    "CKV_AZURE_17": "neither browsers nor Event Grid have a client certificate",
    "CKV_AZURE_35": "open, to identities alone: see Private networking in docs/deploy.md",
    "CKV_AZURE_59": "the same; no container is public, and no key is accepted",
    "CKV_AZURE_63": "a setting of Windows web apps; requests are in Application Insights",
    "CKV_AZURE_65": "a setting of Windows web apps",
    "CKV_AZURE_66": "a setting of Windows web apps",
    "CKV_AZURE_78": "Flex Consumption has no FTP; its password is off all the same",
    "CKV_AZURE_80": "there is no .NET in it",
    "CKV_AZURE_88": "Flex Consumption keeps the package in a container of blobs",
    "CKV_AZURE_134": "open, to identities alone: see Private networking in docs/deploy.md",
    "CKV_AZURE_206": "records can be made again; copies of originals are their owner's to decide",
    "CKV_AZURE_212": "it scales to nothing when there is nothing to do; images wait in queues",
    "CKV_AZURE_213": "Flex Consumption replaces instances itself; probe /api/health from outside",
    "CKV_AZURE_222": "Event Grid's webhook and the HTTP API come in from outside",
    "CKV_AZURE_225": "a zone that fails delays captions and loses none",
    "CKV_AZURE_238": "the AI accounts call nothing, so that they need no identity",
}
"""Checks that fail, each with the reason why it may."""


def checkov(folder: Path, framework: str) -> dict[str, Any]:
    """Its summary of a folder; it asks nobody outside."""
    done = subprocess.run(
        [CHECKOV, "-d", folder, "--framework", framework, *["-o", "json", "--skip-download"]],
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_checkov_finds_no_more_than_what_is_reasoned(tmp_path: Path) -> None:
    """In what would really be deployed; and every exception is one, so that none is stale."""
    for name in SCENARIOS:
        resources = [{k: v for k, v in r.items() if k != "id"} for r in deployment(name).resources]
        template = {
            "$schema": "https://schema.management.azure.com/schemas/2019-04-01/"
            "deploymentTemplate.json#",
            "contentVersion": "1.0.0.0",
            "resources": resources,
        }
        (tmp_path / f"{name}.json").write_text(json.dumps(template), "utf-8")
    found = checkov(tmp_path, "arm")
    failed = {check["check_id"] for check in found["results"]["failed_checks"]}
    assert failed == EXCEPTIONS.keys()
    assert found["summary"]["passed"] >= 25 * len(WHOLE)
    assert not found["summary"]["parsing_errors"]


def test_checkov_finds_nothing_in_the_workflows() -> None:
    found = checkov(ROOT / ".github", "github_actions")
    assert found["summary"]["failed"] == 0
    assert found["summary"]["passed"] > 20
