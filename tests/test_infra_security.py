"""No key, no connection string and no public data in anything that is deployed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deployment import SCENARIOS, WHOLE, deployment

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
