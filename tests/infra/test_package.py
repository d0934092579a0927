"""What is deployed is the app, all of it, and nothing that only tests or a laptop need."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from testing.harness.deployment import deployment
from testing.locks import layers, read
from testing.markdown import DEPLOY, rows
from testing.paths import ROOT

AZURE_YAML = (ROOT / "azure.yaml").read_text("utf-8")
DEPLOYED, LOCAL = (read(file).versions("3.12").keys() for file in layers()[:2])
LOCAL_ONLY = sorted(LOCAL - DEPLOYED)
START = """
import importlib.abc, sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in LOCAL_ONLY:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
import function_app
providers = function_app.services()._providers
print(type(providers.analyzer).__name__, type(providers.captioner).__name__)
"""


def git(*arguments: str) -> set[str]:
    """Files that git lists."""
    listed = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(listed.stdout.splitlines())


@pytest.fixture(scope="module")
def package() -> set[str]:
    """Files that are deployed: .funcignore has the rules of .gitignore."""
    return git("ls-files", "-co", "--exclude-standard") - git(
        "ls-files", "-coi", "--exclude-from=.funcignore"
    )


def test_only_the_app_is_deployed(package: set[str]) -> None:
    assert {path for path in package if not path.startswith("captioning/")} == {
        "function_app.py",
        "host.json",
        "requirements.txt",
    }
    assert {path for path in package if path.startswith("captioning/embedded")} == set()
    assert "captioning/budget/prices.json" in package


def test_what_is_made_on_a_laptop_stays_there(tmp_path: Path) -> None:
    """None of it is in git, whose rules are asked all the same."""
    junk = [
        *(".azure/env/.env", ".azurite/x", ".venv/bin/python", ".venv-sbom/bin/python"),
        *("node_modules/a/b.js", "captioning/__pycache__/a.pyc", "local.settings.json"),
        *(".mypy_cache/x", ".pytest_cache/x", ".ruff_cache/x", ".hypothesis/x", "build/x.png"),
    ]
    shutil.copy(ROOT / ".funcignore", tmp_path / ".gitignore")
    for command in (["init", "-q"], ["check-ignore", *junk]):
        done = subprocess.run(
            ["git", *command], cwd=tmp_path, capture_output=True, text=True, check=True
        )
    assert done.stdout.split() == junk


def test_it_starts_with_what_the_cloud_has(package: set[str], tmp_path: Path) -> None:
    """Alone in a folder, with the deployed settings and without the packages of a laptop."""
    for path in package:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    settings = deployment("new").settings()
    done = subprocess.run(
        [sys.executable, "-c", f"LOCAL_ONLY = {LOCAL_ONLY}\n{START}"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["VisionClient", "OpenAICaptioner"]


def test_azd_finds_the_app_and_its_hooks() -> None:
    assert deployment("new").one("Web/sites")["tags"]["azd-service-name"] == "app"
    assert (
        "\nservices:\n  app:\n    project: .\n    language: python\n    host: function\n"
        in AZURE_YAML
    )
    hooks = re.findall(r"run: (\S+)", AZURE_YAML)
    assert len(hooks) == 4
    assert all((ROOT / hook).exists() for hook in hooks)


def test_every_setting_of_an_environment_is_documented() -> None:
    """By its name, and with its default where azd has one."""
    parameters = (ROOT / "infra/main.parameters.json").read_text("utf-8")
    read = dict(re.findall(r"\$\{(\w+)=?([^}]*)\}", parameters))
    asked_by_azd = {"AZURE_ENV_NAME", "AZURE_PRINCIPAL_ID"}
    documented = {
        name: row[1] for row in rows(DEPLOY, "name") for name in re.findall(r"`([A-Z_]+)`", row[0])
    }
    assert documented.keys() == read.keys() - asked_by_azd
    for name in ("VISION_CALLS_PER_SECOND", "MODEL_TOKENS_PER_MINUTE", "INSTANCE_MEMORY_MB"):
        assert documented[name] == f"`{read[name]}`"


def test_the_page_names_what_there_is() -> None:
    for path in re.findall(r"`(infra/[\w/.-]+|\.github/[\w/.-]+)`", DEPLOY):
        assert (ROOT / path).exists() or (ROOT / f"{path}.sh").exists(), path
    assert "Python 3.12" in DEPLOY
    outputs = deployment("new").outputs
    assert all(name in outputs for name in re.findall(r"`(IMAGES_ACCOUNT)`", DEPLOY))
