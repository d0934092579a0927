"""The documents are true: settings, routes, commands, options and files are those of the code."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from captioning.__main__ import cli
from captioning.errors import CaptioningError
from captioning.settings_table import SETTINGS
from tests.azurite import ROOT

README = (ROOT / "README.md").read_text("utf-8")
API = (ROOT / "docs/api.md").read_text("utf-8")
SETTINGS_PAGE = (ROOT / "docs/settings.md").read_text("utf-8")
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
LIST_ROUTES = """
import json, function_app
for function in function_app.app.get_functions():
    for binding in json.loads(str(function))["bindings"]:
        if binding["type"] == "httpTrigger":
            print(binding["methods"][0], "/" + binding["route"], binding["authLevel"])
"""


def code(value: str) -> str:
    return f"`{value}`" if value else ""


def test_every_setting_is_documented_as_it_is() -> None:
    documented = [row for row in SETTINGS_PAGE.splitlines() if row.startswith("| `")]
    assert documented == [
        f"| {code(s.name)} | {code(s.default)} | {s.help} | {code(s.example)} |" for s in SETTINGS
    ]


def test_every_route_is_documented_with_its_method_and_level() -> None:
    listed = subprocess.run(
        [sys.executable, "-c", LIST_ROUTES], cwd=ROOT, capture_output=True, text=True, check=True
    )
    served = {
        re.sub(r":[a-z]+\(\d+\)", "", line).lower() for line in listed.stdout.splitlines() if line
    }
    rows = re.findall(r"^\| (\w+) \| `([^`]+)` \| (\w+) \|", API, re.MULTILINE)
    assert {" ".join(row).lower() for row in rows} == served


def test_every_error_code_is_documented() -> None:
    def codes(kind: type[CaptioningError]) -> set[str]:
        return {kind.code}.union(*(codes(sub) for sub in kind.__subclasses__()))

    never_in_a_record = {"error", "settings", "changed", "gone", "bad_request", "bad_name"}
    documented = set(re.findall(r"`([a-z_]+)`", API))
    assert codes(CaptioningError) - never_in_a_record <= documented


def test_every_command_is_in_the_readme() -> None:
    commands = {
        info.name or info.callback.__name__ for info in cli.registered_commands if info.callback
    }
    assert commands == set(re.findall(r"python -m captioning (\w+)", README))


def test_every_make_variable_in_the_readme_is_one() -> None:
    for name in re.findall(r"\b([A-Z_]+)=", " ".join(re.findall(r"`make [^`]+`", README))):
        assert f"$({name})" in MAKEFILE, name
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target


@pytest.mark.parametrize("page", [README, API, SETTINGS_PAGE, ARCHITECTURE])
def test_every_file_that_is_named_is_there(page: str) -> None:
    linked = re.findall(r"\]\(([^)#]+)\)", page)
    named = re.findall(r"`((?:\w+/)*[\w.]+\.(?:py|json|jsonl|md))`", page)
    local_only = {"local.settings.json"}
    places = [ROOT, ROOT / "captioning", ROOT / "captioning/embedded", ROOT / "docs"]
    for path in [*linked, *(set(named) - local_only)]:
        assert any((place / path).exists() for place in places), path


def test_the_changelog_has_one_line_a_change() -> None:
    lines = (ROOT / "CHANGELOG.md").read_text("utf-8").splitlines()
    assert all(re.match(r"#|- .*[.:)`]$|- .*\.$|$", line) for line in lines)
