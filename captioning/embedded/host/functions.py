"""The app's functions and host.json as the host reads them, with the real host's defaults."""

from __future__ import annotations

import inspect
import json
import logging
import os
import re
import threading
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

import azure.functions as func

logger = logging.getLogger("captioning.embedded.host")

TRIGGERS = frozenset({"httpTrigger", "blobTrigger", "queueTrigger", "timerTrigger"})
KNOWN_BINDINGS = TRIGGERS | {"http"}
RESOLVED = ("path", "queueName", "schedule")
"""Properties of a binding in which `%NAME%` stands for a setting."""
LARGEST_BATCH = 32
"""Messages that Queue Storage returns at most for one request."""
HIDDEN = 60
"""Seconds for which a message at work is hidden from other hosts."""


class HostStartError(Exception):
    """The app cannot be hosted as it is; the message names the function or setting at fault."""


class FunctionExited(Exception):
    """The function called sys.exit."""


@dataclass(frozen=True)
class Batches:
    """When messages are fetched: `size` at once, whenever `threshold` or fewer are at work. So
    places stand empty, as in the real host; with `exact` every free place is filled at once."""

    size: int
    threshold: int
    exact: bool = False

    @classmethod
    def of_blobs(cls, degree: int) -> Self:
        """What the blob extension makes of its `maxDegreeOfParallelism`."""
        size = min(degree // 2 + 1, LARGEST_BATCH)
        return cls(size, max(degree - size, 0))

    @classmethod
    def exactly(cls, count: int) -> Self:
        """Always so many at work, while there are messages."""
        return cls(1, count - 1, exact=True)

    @property
    def most(self) -> int:
        """How many can be at work at a time."""
        return self.size + self.threshold

    def due(self, at_work: int) -> int:
        """How many messages to ask for while so many are at work."""
        if at_work > self.threshold:
            return 0
        return min(self.most - at_work, LARGEST_BATCH) if self.exact else self.size


@dataclass(frozen=True)
class Terms:
    """How messages are treated: in which batches they are fetched, how many attempts each has, the
    seconds between two attempts, whether their text is base64, and for how many seconds one at work
    is hidden from other hosts."""

    batches: Batches
    attempts: int
    retry_delay: float
    base64: bool
    hidden: int


@dataclass(frozen=True)
class HostConfig:
    """What host.json sets: the prefix of routes, and the terms of messages about blobs and of those
    of queues."""

    route_prefix: str
    blobs: Terms
    queues: Terms

    @classmethod
    def read(
        cls,
        host_json: Mapping[str, Any],
        settings: Mapping[str, str],
        *,
        hidden: int = HIDDEN,
        exactly: int | None = None,
    ) -> HostConfig:
        """Reads host.json. As in the cloud, `AzureFunctionsJobHost__extensions__…` settings
        override it; `exactly` overrides how many messages of a function are at work. Raises
        HostStartError for a value that is not of its form."""

        def value(section: str, name: str, default: Any) -> Any:
            override = settings.get(f"AzureFunctionsJobHost__extensions__{section}__{name}")
            found = host_json.get("extensions", {}).get(section, {}).get(name)
            return override or (default if found is None else found)

        def count(section: str, name: str, default: int, *limits: int) -> int:
            return _count(f"{section}.{name}", value(section, name, default), *limits)

        degree = count("blobs", "maxDegreeOfParallelism", 8 * (os.cpu_count() or 1))
        batch = count("queues", "batchSize", 16, 1, LARGEST_BATCH)
        threshold = count("queues", "newBatchThreshold", batch // 2, 0)
        exact = Batches.exactly(exactly) if exactly else None
        return cls(
            route_prefix=str(value("http", "routePrefix", "api")).strip("/"),
            blobs=Terms(
                exact or Batches.of_blobs(degree),
                count("blobs", "poisonBlobThreshold", 5),
                retry_delay=0.0,
                base64=True,
                hidden=hidden,
            ),
            queues=Terms(
                exact or Batches(batch, threshold),
                count("queues", "maxDequeueCount", 5),
                _seconds(value("queues", "visibilityTimeout", "00:00:00")),
                str(value("queues", "messageEncoding", "base64")).lower() != "none",
                hidden=hidden,
            ),
        )


@dataclass(frozen=True)
class Function:
    """One function: its trigger's binding with `%NAME%` resolved, and how to call it."""

    name: str
    binding: Mapping[str, Any]
    call: Callable[..., Any]
    annotation: Any

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


class Invoker:
    """Calls the functions of one app, each in the thread that asks; as in the real host's worker,
    no more of them at a time than `PYTHON_THREADPOOL_THREAD_COUNT`, by default 1000."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        name = "PYTHON_THREADPOOL_THREAD_COUNT"
        self._free = threading.BoundedSemaphore(_count(name, settings.get(name) or 1000))

    def run(self, function: Function, argument: object) -> Any:
        """Calls the function; returns what it returns, raises what it raises."""
        with self._free:
            try:
                return function.call(**{function.parameter: argument})
            except SystemExit as exit_:
                raise FunctionExited(f"the function called sys.exit({exit_.code})") from exit_


def read_functions(app: func.FunctionApp, settings: Mapping[str, str]) -> list[Function]:
    """The functions that this host can run. One with an unknown binding is logged and left out.

    Calls `app.get_functions()`, which works only once for an app. Raises HostStartError for a
    coroutine.
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
    """A function as declared, with the settings in its binding resolved."""
    if inspect.iscoroutinefunction(call):
        raise HostStartError(f"{name}: the embedded host calls no coroutines; declare it with def")
    resolved = {key: _resolve(binding[key], name, settings) for key in RESOLVED if key in binding}
    annotation = typing.get_type_hints(call).get(binding["name"])
    return Function(name, {**binding, **resolved}, call, annotation)


def _resolve(text: str, function: str, settings: Mapping[str, str]) -> str:
    """The text with each `%NAME%` replaced by the value of the setting NAME."""

    def value(match: re.Match[str]) -> str:
        if setting := settings.get(match[1]):
            return setting
        raise HostStartError(f"{function}: the setting {match[1]} of '{text}' is missing")

    return re.sub(r"%([^%]+)%", value, text)


def _count(name: str, value: Any, least: int = 1, most: int = 2**31 - 1) -> int:
    """The value as a whole number within limits; HostStartError names it otherwise."""
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = least - 1
    if not least <= number <= most:
        limits = f"from {least}" + (f" to {most}" if most <= LARGEST_BATCH else "")
        raise HostStartError(f"{name}: {value!r} is not a whole number {limits}")
    return number


def _seconds(span: str) -> float:
    """The seconds of a TimeSpan such as `00:00:30`."""
    try:
        hours, minutes, seconds = (float(part) for part in span.split(":"))
    except ValueError:
        raise HostStartError(f"queues.visibilityTimeout: {span!r} is not hh:mm:ss") from None
    return timedelta(hours=hours, minutes=minutes, seconds=seconds).total_seconds()
