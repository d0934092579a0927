"""The hooks of azd, run by a real shell with stand-ins for `az` and `azd` on PATH."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testing.harness.bicep import INFRA
from testing.harness.deployment import deployment
from testing.paths import ROOT

HOOKS = INFRA / "hooks"
FAKE = ROOT / "testing/fakes/azure_cli.py"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
Script = dict[str, list[Any]]

REGIONS = [{"name": "westeurope"}, {"name": "swedencentral"}]
ACCOUNT = {"id": SUBSCRIPTION, "name": "Ours", "state": "Enabled"}


def offer(model: str, version: str, *kinds: str, **more: Any) -> dict[str, Any]:
    """A model in the answer of `az cognitiveservices model list`."""
    skus = [{"name": kind, "usageName": f"OpenAI.{kind}.{model}"} for kind in kinds]
    about = {"format": "OpenAI", "name": model, "version": version, "isDefaultVersion": True}
    return {
        "kind": "OpenAI",
        "skuName": "S0",
        "model": {**about, "lifecycleStatus": "GenerallyAvailable", "skus": skus, **more},
    }


def quota(model: str, kind: str, limit: float, used: float = 0.0) -> dict[str, Any]:
    """A quota in the answer of `az cognitiveservices usage list`, in thousands a minute."""
    return {
        "name": {"value": f"OpenAI.{kind}.{model}", "localizedValue": "Tokens per minute"},
        "limit": limit,
        "currentValue": used,
        "unit": "Count",
    }


def region(models: list[Any], quotas: list[Any], **otherwise: list[Any]) -> Script:
    """Azure's answers about a region before provisioning."""
    return {
        "az account show": [ACCOUNT],
        "az functionapp list-flexconsumption-locations": [REGIONS],
        "az cognitiveservices account list-skus": [[{"name": "F0"}, {"name": "S1"}]],
        "az cognitiveservices model list": [models],
        "az cognitiveservices usage list": [quotas],
        "azd env set": [None],
        **{name.replace("_", " "): answers for name, answers in otherwise.items()},
    }


@dataclass(frozen=True, slots=True)
class HookRun:
    """How a hook ended: its exit code, its output, and the commands that it ran."""

    code: int
    said: str
    errors: str
    asked: list[list[str]]

    def times(self, *words: str) -> int:
        """How many commands began with these words."""
        return sum(tuple(command[: len(words)]) == words for command in self.asked)

    def chosen(self) -> dict[str, str]:
        """The values that were set in the azd environment."""
        return {c[3]: c[4] for c in self.asked if c[:3] == ["azd", "env", "set"]}


def run(hook: str, folder: Path, script: Script, **environ: str) -> HookRun:
    """Runs `infra/hooks/HOOK.sh` in the project's folder, as azd does."""
    (folder / "script.json").write_text(json.dumps(script), "utf-8")
    for command in ("az", "azd"):
        program = folder / command
        program.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -S "{FAKE}" "$0" "$@"\n',
            "utf-8",
        )
        program.chmod(0o755)
    shell = shutil.which("dash") or "sh"
    done = subprocess.run(
        [shell, str(HOOKS.relative_to(ROOT) / f"{hook}.sh")],
        cwd=ROOT,
        env={
            "PYTHONPATH": sysconfig.get_path("purelib"),  # -S: it starts in half the time
            "PATH": f"{folder}:{os.environ['PATH']}",
            "FAKE_AZURE": str(folder),
            "HOOK_PAUSE": "0",
            "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
            "AZURE_LOCATION": "westeurope",
            **environ,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (folder / "asked.jsonl").read_text("utf-8").splitlines()
    return HookRun(done.returncode, done.stdout, done.stderr, [json.loads(line) for line in lines])


def outputs() -> dict[str, str]:
    """The outputs of the infrastructure, as azd stores them in its environment."""
    made = deployment("new").outputs
    return made | {"APP_URL": f"https://{made['APP_NAME']}.azurewebsites.net"}
