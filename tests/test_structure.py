"""The import rule, one home per SDK, and the sizes of files and functions: read from the source."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "captioning"
MAX_LINES, MAX_FUNCTION = 220, 40

GROUPS = {
    "models": "models errors address blob_name caption_text http_message listing rendition "
    "evidence_rules vocabulary retry_after exact_path usage wake work upload reports calls prices "
    "tally storage_trouble sketch storage_signature curl telemetry notice delivery image_log "
    "stored words terms query cursor edits carried previous step_back etags edit_body "
    "broader_terms word_groups spelling statements sightings support model_date selection",
    "settings": "settings settings_table environment storage_settings budget_settings "
    "webhook_settings text_settings indexing",
    "images": "images decoding likeness",
    "blobs": "blobs thumbnails blob_account blob_wire",
    "records": "store index dictionary entity reuse burst_table state usage_table tables "
    "table_account table_entity table_wire",
    "deferrals": "deferrals",
    "vision": "vision vision_http vision_answer vision_endpoint vision_features vision_refusal "
    "vision_shapes",
    "captioner": "captioner caption_answer chat_answer chat_refusal chat_request evidence prompt",
    "credentials": "credentials",
    "calls": "gate run_calls",
    "ledger": "ledger",
    "contents": "contents content bursts providers",
    "pipeline": "pipeline hold outcome decorative standing deferral examiner",
    "upkeep": "upkeep reconcile service_health",
    "catalog": "catalog search merge",
    "api": "api health usage_report recaption retag edit_api image_changes image_view image_tools "
    "reprocess estimate named_image answering gallery openapi openapi_answers openapi_parameters "
    "openapi_paths openapi_schemas",
    "services": "services pipeline_parts call_maker notifying image_apis burst_parts "
    "storage_account service_clients timeouts stewardship",
    "commands": "check drop waiting console finding export export_command folder_path sidecar "
    "sidecar_files static_gallery static_page trying variants xml_text",
    "embedded providers": "embedded.vision embedded.text_reader embedded.captioner",
    "embedded host": "embedded.host",
    "local stack": "embedded.azurite embedded.child embedded.folder_lock embedded.leash "
    "embedded.stack",
    "edges": "function_app __main__ steward_commands try_command command_context embedded.up",
    "webhook": "webhook",
    "notifier": "notifier announcing",
}
"""Modules and packages by what they are; `models` are what everything may know."""

PARTS = {
    *("images", "blobs", "records", "deferrals"),
    *("vision", "captioner", "webhook", "credentials", "embedded providers"),
}
"""The adapters. They know neither each other, nor the pipeline, nor the settings."""
FLOW = {"calls", "ledger", "contents", "pipeline", "notifier", "upkeep", "catalog", "api"}
"""What the app does with them, behind Protocols."""

MAY_IMPORT: dict[str, set[str]] = {
    **{adapter: set() for adapter in PARTS},
    "models": set(),
    "settings": set(),
    **{part: set() for part in FLOW},
    "pipeline": {"contents"},
    "notifier": {"pipeline", "calls"},
    "services": PARTS | FLOW | {"settings"},
    "commands": {"services", "settings", "images"},
    "embedded host": set(),
    "local stack": set(),
    "edges": {"services", "settings", "commands", "local stack", "images", "api", "upkeep"},
}
"""Beside itself and `models`."""

HOMES = {
    "azure.functions": "function_app embedded",
    "azurefunctions": "function_app embedded",
    "openai": "captioner",
    "httpx2": "captioner",
    "requests": "vision vision_http webhook exact_path",
    "urllib3": "vision_http webhook",
    "azure.identity": "credentials",
    "azure.storage.blob": "blobs thumbnails blob_account embedded",
    "azure.storage.queue": "deferrals embedded",
    "azure.data.tables": "tables table_account table_entity usage_table embedded",
    "azure.core": "blobs thumbnails blob_account tables table_account deferrals credentials "
    "services storage_account service_clients storage_trouble drop check __main__ command_context "
    "embedded",
    "opentelemetry": "telemetry",
    "PIL": "images decoding likeness check embedded",
    "pillow_heif": "decoding",
    "pydantic": "models work prices caption_answer chat_answer vision_shapes edit_body "
    "openapi_schemas",
    "typer": "__main__ steward_commands try_command command_context",
    "rich": "console",
    "numpy": "embedded",
    "onnxruntime": "embedded",
    "rapidocr": "embedded.text_reader",
    "cv2": "embedded.text_reader",
    "cheroot": "embedded",
    "croniter": "embedded",
    "pycurl": "curl",
    "regex": "words",
    "snowballstemmer": "words",
}
"""Who may import what is not ours; `embedded` stands for every module in it."""

ENVIRONMENT = "settings indexing embedded.host.__main__ embedded.stack embedded.azurite"


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removeprefix("captioning.")


FILES = {
    module_of(file): file
    for file in [*sorted(PACKAGE.rglob("*.py")), ROOT / "function_app.py"]
    if file.name != "__init__.py"
}
PLACES = {module: group for group, modules in GROUPS.items() for module in modules.split()}


def group_of(module: str) -> str:
    """By its own name, or by its package's."""
    return PLACES.get(module) or PLACES[module.rpartition(".")[0]]


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(FILES[module].read_text("utf-8"))


def imported(module: str) -> Iterator[str]:
    """Every module that is imported, at any depth of the file, for types too."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole path"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}".removeprefix("captioning.")
                yield f"captioning.{inner}" if inner in FILES else str(node.module)


def is_in(module: str, homes: str) -> bool:
    return module in homes.split() or module.partition(".")[0] in homes.split()


def test_every_module_has_its_place() -> None:
    assert {group_of(module) for module in FILES} == set(GROUPS)
    assert set(MAY_IMPORT) == set(GROUPS)


@pytest.mark.parametrize("module", FILES)
def test_imports_point_one_way(module: str) -> None:
    group = group_of(module)
    allowed = MAY_IMPORT[group] | {group, "models"}
    for name in imported(module):
        if name.startswith("captioning."):
            target = group_of(name.removeprefix("captioning."))
            assert target in allowed, f"{module} ({group}) imports {name} ({target})"


def test_the_layers_have_no_circle() -> None:
    done: set[str] = set()
    while ready := {g for g, uses in MAY_IMPORT.items() if uses <= done} - done:
        done |= ready
    assert done == set(MAY_IMPORT)


@pytest.mark.parametrize("module", FILES)
def test_an_sdk_is_imported_at_its_home_only(module: str) -> None:
    for name in imported(module):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top == "captioning":
            continue
        homes = next((h for sdk, h in HOMES.items() if f"{name}.".startswith(f"{sdk}.")), "")
        assert is_in(module, homes), f"{module} imports {name}"


@pytest.mark.parametrize("module", FILES)
def test_the_environment_is_read_by_the_settings(module: str) -> None:
    names = {"environ", "environb", "getenv", "putenv"}
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
    assert not reads or is_in(module, ENVIRONMENT)


@pytest.mark.parametrize("module", FILES)
def test_files_and_functions_are_short(module: str) -> None:
    lines = FILES[module].read_text("utf-8").count("\n")
    assert lines <= MAX_LINES
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= MAX_FUNCTION, f"{module}.{node.name} has {length} lines"
