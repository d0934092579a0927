"""Imports between packages, one home per SDK, sizes of files and functions: read from the source.

The table of packages in `docs/internals.md` is the rule: a package imports what its row names.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from testing.paths import ROOT

PACKAGE = ROOT / "captioning"
MAX_LINES, MAX_FUNCTION = 400, 60
MAX_FILES_BESIDE_PACKAGES, MAX_FILES_IN_A_PACKAGE = 8, 16

HOMES = {
    "azure.functions": "function_app embedded.host",
    "azurefunctions": "function_app embedded.host",
    "azure.core": "storage app cli embedded.host",
    "azure.data.tables": "storage budget.table embedded.host",
    "azure.identity": "app.credentials",
    "azure.storage.blob": "storage embedded.host",
    "azure.storage.queue": "storage embedded.host",
    "cheroot": "embedded.host",
    "croniter": "embedded.host",
    "cv2": "embedded.providers.text_reader",
    "httpx2": "captioner",
    "json_repair": "captioner.reading",
    "numpy": "embedded.providers",
    "onnxruntime": "embedded.providers",
    "openai": "captioner",
    "opentelemetry": "telemetry",
    "PIL": "images cli.check embedded.providers",
    "pillow_heif": "images",
    "pycurl": "storage",
    "pydantic": "domain.record reuse.entries budget.prices backup.lines captioner vision api",
    "rapidocr": "embedded.providers.text_reader",
    "regex": "text.words",
    "requests": "transport storage",
    "rich": "cli.console",
    "sentencex": "captioner.sentences",
    "snowballstemmer": "text.words",
    "typer": "cli",
    "urllib3": "transport",
}
"""Who may import what is not ours: packages, or single modules of them."""
ENVIRONMENT = "config triggers embedded.host.__main__ embedded.stack"
STORAGE_IS_KNOWN_TO = "storage app cli embedded.host"
"""Beside them only the adapters: each package's one `table.py`."""


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removeprefix("captioning.")


FILES = {
    module_of(file): file
    for file in [*sorted(PACKAGE.rglob("*.py")), ROOT / "function_app.py"]
    if file.name != "__init__.py"
}
OURS = sorted(set(FILES) - {"function_app", "__main__"})


def rule() -> dict[str, set[str]]:
    """What each package may import, by the table in the documentation."""
    page = (ROOT / "docs/internals.md").read_text("utf-8")
    [table] = re.findall(r"^\| package \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", page, re.MULTILINE)
    rows = [line[1:].split("|") for line in table.splitlines()]
    return {re.findall(r"\w+", row[0])[0]: set(re.findall(r"`(\w+)`", row[2])) for row in rows}


RULE = rule()


def package_of(module: str) -> str:
    return module.partition(".")[0]


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(FILES[module].read_text("utf-8"))


def imported(parsed: ast.Module) -> Iterator[str]:
    """Every module that is imported, at any depth of the file, for types too."""
    for node in ast.walk(parsed):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole path"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}".removeprefix("captioning.")
                yield f"captioning.{inner}" if inner in FILES else str(node.module)


def is_in(module: str, homes: str) -> bool:
    return any(f"{module}.".startswith(f"{home}.") for home in homes.split())


def faults(module: str, parsed: ast.Module) -> list[str]:
    """The imports of a module that break the rule, each with the reason."""
    found = []
    package = package_of(module)
    for name in imported(parsed):
        top = name.partition(".")[0]
        if top == "captioning":
            target = package_of(name.removeprefix("captioning."))
            if target != package and target not in RULE[package]:
                found.append(f"{module}: {package} may not import {name}")
            adapter = module.count(".") == 1 and module.endswith(".table")
            if target == "storage" and not adapter and not is_in(module, STORAGE_IS_KNOWN_TO):
                found.append(f"{module}: only adapters import {name}")
        elif top not in sys.stdlib_module_names:
            homes = next((h for sdk, h in HOMES.items() if f"{name}.".startswith(f"{sdk}.")), "")
            if not is_in(module, homes):
                found.append(f"{module}: {name} is not at home here")
    return found


def test_every_package_has_its_row() -> None:
    assert {package_of(module) for module in OURS} == set(RULE)


@pytest.mark.parametrize("module", OURS)
def test_imports_keep_to_the_table(module: str) -> None:
    assert faults(module, tree(module)) == []


@pytest.mark.parametrize(
    ("module", "planted"),
    [
        ("domain.record", "from captioning.storage import tables"),
        ("domain.record", "def late():\n    from captioning.api.captions import CaptionApi"),
        ("search.search", "import captioning.pipeline.pipeline"),
        ("api.captions", "from captioning.storage.tables import Table"),
        ("records.catalog", "from captioning.storage.tables import Table"),
        ("pipeline.pipeline", "import requests"),
        ("records.table", "import pycurl"),
        ("api.images", "from PIL import Image"),
    ],
)
def test_a_wrong_import_is_seen(module: str, planted: str) -> None:
    assert faults(module, ast.parse(planted))


def test_no_row_of_the_table_is_wider_than_the_code() -> None:
    used: dict[str, set[str]] = {package: set() for package in RULE}
    for module in OURS:
        for name in imported(tree(module)):
            if name.startswith("captioning."):
                used[package_of(module)].add(package_of(name.removeprefix("captioning.")))
    assert {package: names - {package} for package, names in used.items()} == RULE


def test_the_packages_have_no_circle() -> None:
    done: set[str] = set()
    while ready := {package for package, uses in RULE.items() if uses <= done} - done:
        done |= ready
    assert done == set(RULE)


def test_the_environment_is_read_by_the_settings() -> None:
    names = {"environ", "environb", "getenv", "putenv"}
    for module in FILES:
        reads = [
            node
            for node in ast.walk(tree(module))
            if (
                isinstance(node, ast.Attribute)
                and node.attr in names
                and isinstance(node.value, ast.Name)
                and node.value.id == "os"
            )
            or (isinstance(node, ast.ImportFrom) and node.module == "os")
        ]
        assert not reads or is_in(module, ENVIRONMENT), module


def test_packages_hold_a_docstring_and_no_second_names() -> None:
    for file in PACKAGE.rglob("__init__.py"):
        body = ast.parse(file.read_text("utf-8")).body
        assert [type(node) for node in body] == [ast.Expr], file


def test_folders_are_small_enough_to_look_through() -> None:
    for folder in [PACKAGE, *(init.parent for init in PACKAGE.glob("*/**/__init__.py"))]:
        files = [file for file in folder.glob("*.py") if file.name != "__init__.py"]
        most = MAX_FILES_BESIDE_PACKAGES if folder == PACKAGE else MAX_FILES_IN_A_PACKAGE
        assert len(files) <= most, folder


@pytest.mark.parametrize("module", FILES)
def test_files_and_functions_are_short(module: str) -> None:
    lines = FILES[module].read_text("utf-8").count("\n")
    assert lines <= MAX_LINES
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= MAX_FUNCTION, f"{module}.{node.name} has {length} lines"


def test_helpers_import_no_tests_and_tests_import_no_test() -> None:
    """`bench` may use `testing` and the app, `testing` the app; of the tests, only those of
    `bench` import it. What two tests share is in `testing`."""
    for top, forbidden in (
        ("testing", r"(tests|bench)(\.|$)"),
        ("bench", r"tests(\.|$)"),
        ("tests", r"tests\.(.+\.)?test_|bench(\.|$)"),
    ):
        for file in (ROOT / top).rglob("*.py"):
            names = imported(ast.parse(file.read_text("utf-8")))
            if file.parent.name == "bench":
                names = (name for name in names if not name.startswith("bench"))
            found = [name for name in names if re.match(forbidden, name)]
            assert not found, f"{file.relative_to(ROOT)} imports {', '.join(found)}"
