"""The app's functions and host.json as the host reads them, with the real host's defaults."""

from __future__ import annotations

import inspect
import json
import logging
import os
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import azure.functions as func

logger = logging.getLogger("captioning.embedded.host")

TRIGGERS = frozenset({"httpTrigger", "blobTrigger", "queueTrigger", "timerTrigger"})
KNOWN_BINDINGS = TRIGGERS | {"http"}
RESOLVED = ("path", "queueName", "schedule")
"""Properties of a binding in which `%NAME%` stands for a setting."""


class HostStartError(Exception):
    """The app cannot be hosted as it is; the message names the function or setting at fault."""


@dataclass(frozen=True)
class HostConfig:
    """What host.json sets: the prefix of routes, and for each trigger how many invocations run at a
    time and how many attempts a message has. `queue_retry_delay` is in seconds."""

    route_prefix: str
    blob_limit: int
    blob_attempts: int
    queue_limit: int
    queue_attempts: int
    queue_retry_delay: float
    queue_base64: bool

    @classmethod
    def read(cls, host_json: Mapping[str, Any], settings: Mapping[str, str]) -> HostConfig:
        """Reads host.json. As in the cloud, `AzureFunctionsJobHost__extensions__…` settings
        override it. Raises HostStartError for a value that is not of its form."""

        def value(section: str, name: str, default: Any) -> Any:
            override = settings.get(f"AzureFunctionsJobHost__extensions__{section}__{name}")
            found = host_json.get("extensions", {}).get(section, {}).get(name)
            return override or (default if found is None else found)

        batch = _count("queues.batchSize", value("queues", "batchSize", 16))
        extra = value("queues", "newBatchThreshold", batch // 2)
        cores = os.cpu_count() or 1
        return cls(
            route_prefix=str(value("http", "routePrefix", "api")).strip("/"),
            blob_limit=_count(
                "blobs.maxDegreeOfParallelism", value("blobs", "maxDegreeOfParallelism", 8 * cores)
            ),
            blob_attempts=_count(
                "blobs.poisonBlobThreshold", value("blobs", "poisonBlobThreshold", 5)
            ),
            queue_limit=batch + _count("queues.newBatchThreshold", extra, least=0),
            queue_attempts=_count("queues.maxDequeueCount", value("queues", "maxDequeueCount", 5)),
            queue_retry_delay=_seconds(value("queues", "visibilityTimeout", "00:00:00")),
            queue_base64=str(value("queues", "messageEncoding", "base64")).lower() != "none",
        )


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
        """Raises HostStartError if the parameter is annotated with anything but `kind`."""
        wanted = self.annotation
        if wanted is not None and not (isinstance(wanted, type) and issubclass(wanted, kind)):
            raise HostStartError(
                f"{self.name}: the embedded host passes a {kind.__name__} as '{self.parameter}', "
                f"which the function annotates as {getattr(wanted, '__name__', wanted)}"
            )


def read_functions(app: func.FunctionApp, settings: Mapping[str, str]) -> list[Function]:
    """The functions that this host can run. One with an unknown binding is logged and left out.

    Calls `app.get_functions()`, which works only once for an app.
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


def thread_count(settings: Mapping[str, str]) -> int:
    """How many threads run functions that are not coroutines; 1000 by default, as in the real
    host."""
    name = "PYTHON_THREADPOOL_THREAD_COUNT"
    return _count(name, settings.get(name) or 1000)


def _function(
    name: str, binding: dict[str, Any], call: Callable[..., Any], settings: Mapping[str, str]
) -> Function:
    """A function as declared, with the settings in its binding resolved."""
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
    """The text with each `%NAME%` replaced by the value of the setting NAME."""

    def value(match: re.Match[str]) -> str:
        if setting := settings.get(match[1]):
            return setting
        raise HostStartError(f"{function}: the setting {match[1]} of '{text}' is missing")

    return re.sub(r"%([^%]+)%", value, text)


def _count(name: str, value: Any, least: int = 1) -> int:
    """The value as a whole number of at least `least`; HostStartError names it otherwise."""
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = least - 1
    if number < least:
        raise HostStartError(f"{name}: {value!r} is not a whole number from {least}")
    return number


def _seconds(span: str) -> float:
    """The seconds of a TimeSpan such as `00:00:30`."""
    try:
        hours, minutes, seconds = (float(part) for part in span.split(":"))
    except ValueError:
        raise HostStartError(f"queues.visibilityTimeout: {span!r} is not hh:mm:ss") from None
    return timedelta(hours=hours, minutes=minutes, seconds=seconds).total_seconds()
