"""Runs functions: coroutines on one event loop, all others on a bounded pool of threads."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

from captioning.embedded.host.functions import Function


class FunctionExited(Exception):
    """The function called sys.exit."""


class Invoker:
    """Calls the functions of one app, as the Python worker of the real host does."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="function")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running = 0
        self._idle = threading.Condition()

    def start(self) -> None:
        """Starts the event loop for `async def` functions."""
        self._loop = asyncio.new_event_loop()
        self._loop_thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._loop_thread.start()

    def run(self, function: Function, argument: object) -> Any:
        """Calls the function and waits for it; returns what it returns, raises what it raises."""
        arguments = {function.parameter: argument}
        if function.takes_context:
            arguments["context"] = _context(function)
        with self._idle:
            self._running += 1
        try:
            return self._submit(function, arguments).result()
        except SystemExit as exit_:
            raise FunctionExited(f"the function called sys.exit({exit_.code})") from exit_
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()

    def stop(self, deadline: float) -> bool:
        """Waits for running invocations until `deadline`, by the monotonic clock. Returns whether
        all of them have ended."""
        with self._idle:
            idle = self._idle.wait_for(
                lambda: self._running == 0, max(0.0, deadline - time.monotonic())
            )
        # With an invocation still running, waiting for its thread might never end.
        self._pool.shutdown(wait=idle, cancel_futures=True)
        if self._loop is None:
            return idle
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._loop_thread.join()
        self._loop.close()
        self._loop = None
        return idle

    def _submit(self, function: Function, arguments: dict[str, Any]) -> Future[Any]:
        if self._loop is not None and inspect.iscoroutinefunction(function.call):
            return asyncio.run_coroutine_threadsafe(function.call(**arguments), self._loop)
        return self._pool.submit(function.call, **arguments)


def _context(function: Function) -> SimpleNamespace:
    """The attributes of `func.Context` that an app may read. There are no traces and no retries."""
    return SimpleNamespace(
        invocation_id=str(uuid.uuid4()),
        function_name=function.name,
        function_directory="",
        thread_local_storage=threading.local(),
        trace_context=None,
        retry_context=None,
    )
