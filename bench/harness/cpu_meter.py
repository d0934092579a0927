"""CPU time of the app's steps: what each uses on its own thread, without the steps inside it."""

from __future__ import annotations

import functools
import threading
import time
from collections import Counter
from collections.abc import Callable
from pkgutil import resolve_name
from typing import Any

STEPS: dict[str, tuple[str, ...]] = {
    "describe the blob": ("captioning.storage.blobs:ImageContainer.describe",),
    "download": ("captioning.storage.blobs:ImageContainer.read",),
    "asking a helper": ("captioning.images.helpers.decoders:Decoders.inspect",),
    "rendition for Vision": ("captioning.images.inspected:Picture.for_service",),
    "Vision client": ("captioning.vision.client:VisionClient.analyze",),
    "chat client": ("captioning.captioner.client:OpenAICaptioner.caption",),
    "content: claim and answers": (
        "captioning.reuse.table:ReuseTable.get",
        "captioning.reuse.table:ReuseTable.put",
    ),
    "record: read": ("captioning.storage.table_rest:TableRest.get",),
    "record: transaction": ("captioning.storage.table_rest:TableRest.transact",),
    "index: words": ("captioning.search.dictionary:Dictionary.learn",),
    "catalogue": (
        "captioning.records.catalog:Catalog.save",
        "captioning.records.catalog:Catalog.get",
    ),
    "ledger": (
        "captioning.budget.ledger:Ledger.add",
        "captioning.budget.ledger:Ledger.check_budget",
    ),
    "pipeline": ("captioning.pipeline.pipeline:CaptionPipeline.process",),
}
"""The functions that belong to each step, as `module:name`."""
POOLED = "index: rows, on its threads"
POOLED_CALLS = tuple(
    f"captioning.storage.tables:Table.{name}"
    for name in ("get", "page", "put", "upsert", "delete", "transact")
)
"""Calls that count as part of the step that makes them or, on a thread of the index, as this
step."""


class Meter:
    """Adds up the CPU seconds and the calls of each step, for the whole process."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._own = threading.local()

    def install(self) -> None:
        """Wraps the functions of the steps. To be called before any of them is imported by name."""
        for step, targets in STEPS.items():
            for target in targets:
                self._wrap(target, step)
        for target in POOLED_CALLS:
            self._wrap(target, None)

    def clear(self) -> None:
        """Resets all counts."""
        with self._lock:
            self.seconds.clear()
            self.calls.clear()

    def counted(self) -> tuple[dict[str, float], dict[str, int]]:
        """Seconds and calls by step, so far."""
        with self._lock:
            return dict(self.seconds), dict(self.calls)

    def _wrap(self, target: str, step: str | None) -> None:
        module, _, name = target.partition(":")
        owner, _, attribute = name.rpartition(".")
        place = resolve_name(f"{module}:{owner}") if owner else resolve_name(module)
        setattr(place, attribute, self.around(getattr(place, attribute), step))

    def around(self, function: Callable[..., Any], step: str | None) -> Callable[..., Any]:
        """The function, measured. Without a step its time counts as part of the step that calls it
        or, on a thread of the index, as the step POOLED."""

        @functools.wraps(function)
        def measured(*args: Any, **kwargs: Any) -> Any:
            stack = self._own.__dict__.setdefault("stack", [])
            if step is None and stack:
                return function(*args, **kwargs)
            began = time.thread_time()
            stack.append(0.0)
            try:
                return function(*args, **kwargs)
            finally:
                spent = time.thread_time() - began
                inner = stack.pop()
                if stack:
                    stack[-1] += spent
                with self._lock:
                    self.seconds[step or POOLED] += spent - inner
                    self.calls[step or POOLED] += 1

        return measured
