"""The app's functions as the host sees them: name, trigger binding, callable, what it asks for."""

from __future__ import annotations

import inspect
import json
import logging
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import azure.functions as func

logger = logging.getLogger(__name__)

TRIGGERS = frozenset({"httpTrigger", "blobTrigger", "queueTrigger", "timerTrigger"})
KNOWN_BINDINGS = TRIGGERS | {"http"}
RESOLVED = ("path", "queueName", "schedule")
"""Properties of a binding in which `%NAME%` stands for a setting."""


class HostStartError(Exception):
    """The app cannot be hosted as it is; the message names the function or setting at fault."""


@dataclass(frozen=True)
class Function:
    """One function: its trigger's binding with `%NAME%` resolved, and how to call it."""

    name: str
    binding: Mapping[str, Any]
    call: Callable[..., Any]
    annotation: Any
    takes_context: bool

    @property
    def trigger(self) -> str:
        """The trigger's type, such as `blobTrigger`."""
        return str(self.binding["type"])

    @property
    def parameter(self) -> str:
        """Name of the argument the trigger fills."""
        return str(self.binding["name"])

    @property
    def connection(self) -> str:
        """Name of the setting that holds the trigger's connection string."""
        return str(self.binding.get("connection") or "AzureWebJobsStorage")

    def expects(self, kind: type) -> None:
        """Stops the start where the parameter is annotated with something else than `kind`."""
        wanted = self.annotation
        if wanted is not None and not (isinstance(wanted, type) and issubclass(wanted, kind)):
            raise HostStartError(
                f"{self.name}: the embedded host gives '{self.parameter}' a {kind.__name__}, "
                f"the function asks for {getattr(wanted, '__name__', wanted)}"
            )


def read_functions(app: func.FunctionApp, settings: Mapping[str, str]) -> list[Function]:
    """The functions this host can run; one with a binding it does not know is named and left out.

    Calls `app.get_functions()`, which works once per app.
    """
    functions = []
    for declared in app.get_functions():
        name = str(declared.get_function_name())
        bindings = [json.loads(raw) for raw in declared.get_raw_bindings()]
        unknown = sorted({binding["type"] for binding in bindings} - KNOWN_BINDINGS)
        if unknown:
            kinds = "', '".join(unknown)
            logger.error("%s left out: The binding type(s) '%s' are not registered", name, kinds)
            continue
        trigger = next(binding for binding in bindings if binding["type"] in TRIGGERS)
        functions.append(_function(name, trigger, declared.get_user_function(), settings))
    return functions


def _function(
    name: str, binding: dict[str, Any], call: Callable[..., Any], settings: Mapping[str, str]
) -> Function:
    resolved = {key: _resolve(binding[key], name, settings) for key in RESOLVED if key in binding}
    parameters = inspect.signature(call).parameters
    return Function(
        name=name,
        binding={**binding, **resolved},
        call=call,
        annotation=typing.get_type_hints(call).get(binding["name"]),
        takes_context="context" in parameters and binding["name"] != "context",
    )


def _resolve(text: str, function: str, settings: Mapping[str, str]) -> str:
    """`%NAME%` replaced by the setting NAME."""

    def value(match: re.Match[str]) -> str:
        if setting := settings.get(match[1]):
            return setting
        raise HostStartError(f"{function}: the setting {match[1]} of '{text}' is missing")

    return re.sub(r"%([^%]+)%", value, text)
