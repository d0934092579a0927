"""Waiting for what other threads and processes do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

HUNG_SECONDS = 600.0
"""A test that waits this long for anything hangs. The bound only ends such a test: it is far above
what a busy machine needs, and no test measures time with it."""


def eventually(check: Callable[[], Found], why: Callable[[], object] = str) -> Found:
    """What `check` returns as soon as that is truthy. Fails, with what `why` returns, when it still
    is not after HUNG_SECONDS."""
    deadline = time.monotonic() + HUNG_SECONDS
    while not (found := check()):
        assert time.monotonic() < deadline, f"did not happen in {HUNG_SECONDS} s: {why()}"
        time.sleep(0.02)
    return found
