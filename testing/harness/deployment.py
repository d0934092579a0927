"""The resources that would be deployed, from the stored snapshots of the infrastructure.

A snapshot has every resource with all values evaluated, except those that only Azure knows. These
are expressions, which get plausible values here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from testing.harness.bicep import SNAPSHOTS

SCENARIOS = sorted(file.name.split(".")[0] for file in SNAPSHOTS.glob("*.bicepparam"))
WHOLE = [name for name in SCENARIOS if name != "webhook"]
"""The scenarios of main.bicep, which deploy everything."""
KNOWN_TO_AZURE = {
    "clientId": "00000000-0000-0000-0000-00000000000c",
    "ConnectionString": "InstrumentationKey=00000000-0000-0000-0000-000000000000",
}
Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Deployment:
    """The resources and outputs of one set of parameters."""

    resources: list[Resource]
    outputs: dict[str, str]

    def of(self, kind: str) -> list[Resource]:
        """The resources of a type, given without `Microsoft.`."""
        return [r for r in self.resources if r["type"].removeprefix("Microsoft.") == kind]

    def one(self, kind: str) -> Resource:
        """The only resource of a type."""
        [found] = self.of(kind)
        return found

    def names(self, kind: str) -> set[str]:
        """The last parts of the names of the resources of a type."""
        return {resource["name"].rpartition("/")[2] for resource in self.of(kind)}

    def settings(self) -> dict[str, str]:
        """The app settings."""
        found: dict[str, str] = self.one("Web/sites/config")["properties"]
        return found


@cache
def deployment(name: str) -> Deployment:
    """The deployment of a scenario."""
    stored = json.loads((SNAPSHOTS / f"{name}.snapshot.json").read_text("utf-8-sig"))
    assert not stored["diagnostics"]
    return Deployment(
        [plausible(resource) for resource in stored["predictedResources"]],
        plausible(stored["outputs"]),
    )


def plausible(value: Any) -> Any:
    """The value with its expressions evaluated."""
    if isinstance(value, dict):
        return {name: plausible(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plausible(inner) for inner in value]
    if isinstance(value, str) and value.startswith("["):
        return _evaluated(value[1:-1])
    return value


def _evaluated(expression: str) -> str:
    """Evaluates an expression: `format` of literals, references and the suffix of the cloud."""
    text = expression.replace("environment().suffixes.storage", "'core.windows.net'")
    text = re.sub(r"listKeys\([^()]*(?:\([^()]*\))?[^()]*\)\.([\w.]+)", r"'<\1>'", text)
    text = re.sub(r"reference\('([^']*)', '[^']*'(?:, '\w+')?\)\.([\w.]+)", _referenced, text)
    if text.startswith("format("):
        template, *arguments = map(str, re.findall(r"'([^']*)'", text))
        return template.format(*arguments)
    return text.strip("'")


def _referenced(found: re.Match[str]) -> str:
    name = found[1].rpartition("/")[2]
    known = {
        **KNOWN_TO_AZURE,
        "customSubDomainName": name,
        "defaultHostName": f"{name}.azurewebsites.net",
        "principalId": name,
        "identity.principalId": name,
    }
    return f"'{known[found[2]]}'"
