"""The figures that the documentation names, looked up in the code."""

from __future__ import annotations

import inspect
import json
import re
from datetime import timedelta
from importlib import import_module
from typing import Any

from captioning.config.definitions import SETTINGS
from testing.paths import ROOT


def figure_of(where: str) -> float:
    """The figure in the code: a constant, a parameter's default, a setting's, or host.json's.

    Durations are in seconds. `where` is as in the documentation's tables, such as
    `resilience.backoff.FIRST` or `host.json extensions.queues.batchSize`.
    """
    if where.startswith("host.json "):
        found: Any = json.loads((ROOT / "host.json").read_text("utf-8"))
        for step in where.removeprefix("host.json ").split("."):
            found = found[step]
    elif where.isupper():
        [found] = [float(setting.default) for setting in SETTINGS if setting.name == where]
    else:
        module, name, parameter = re.findall(r"([\w.]+)\.(\w+)(?:\((\w+)\))?", where)[0]
        found = getattr(import_module(f"captioning.{module}"), name)
        found = inspect.signature(found).parameters[parameter].default if parameter else found
    if isinstance(found, str):
        hours, minutes, seconds = (int(part) for part in found.split(":"))
        found = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return found.total_seconds() if isinstance(found, timedelta) else float(found)
