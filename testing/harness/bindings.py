"""The functions of the app with their bindings, as `function_app.py` registers them."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from typing import Any

from testing.paths import ROOT

_LIST_FUNCTIONS = """
import json, function_app
for function in function_app.app.get_functions():
    print(json.dumps([function.get_function_name(), json.loads(str(function))["bindings"]]))
"""


@cache
def functions() -> dict[str, list[dict[str, Any]]]:
    """The bindings of each function, by its name; read in a process of its own."""
    listed = subprocess.run(
        [sys.executable, "-c", _LIST_FUNCTIONS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(line) for line in listed.stdout.splitlines())


def bindings(kind: str) -> dict[str, dict[str, Any]]:
    """The functions that this kind of binding triggers, with that binding."""
    found = [(name, binding) for name, those in functions().items() for binding in those]
    return {name: binding for name, binding in found if binding["type"] == kind}
