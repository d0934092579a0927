"""`python -m captioning.embedded.host`: hosts the app in the current folder."""

from __future__ import annotations

import argparse
import errno
import importlib
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from captioning.embedded.host.embedded_host import GRACE, EmbeddedHost
from captioning.embedded.host.functions import HIDDEN, HostStartError

logger = logging.getLogger("captioning.embedded.host")


def main() -> int:
    """Serves until SIGTERM or SIGINT. Returns the exit status: 1 if the app cannot be hosted, 2 if
    the port is taken."""
    options = _options()
    _log_to_stderr()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        host = _load(options)
    except HostStartError as error:
        print(f"The app cannot start: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        print(f"Port {options.port} is taken; choose another with --port", file=sys.stderr)
        return 2
    host.start()
    print(f"Embedded Functions host on {host.url}", flush=True)
    stopping.wait()
    if not host.stop():
        logger.warning("An invocation was still running after %s seconds", GRACE)
        # A normal exit would join the thread of that invocation, which may never end.
        logging.shutdown()
        os._exit(0)
    return 0


def _options() -> argparse.Namespace:
    """The parsed command line."""
    parser = argparse.ArgumentParser(prog="python -m captioning.embedded.host")
    parser.add_argument("--port", type=int, default=7071)
    parser.add_argument("--app", default="function_app", help="the module that holds `app`")
    parser.add_argument(
        "--hidden",
        type=int,
        default=HIDDEN,
        help="seconds after which the messages of a killed host are visible again; the real host "
        "needs 600 (default: 60)",
    )
    parser.add_argument(
        "--exactly",
        type=int,
        metavar="COUNT",
        help="so many messages of each function at work at a time, in place of the real host's "
        "batches, which leave places empty",
    )
    return parser.parse_args()


def _load(options: argparse.Namespace) -> EmbeddedHost:
    """A host for the app in the current folder, with its host.json.

    Raises HostStartError if the app cannot be hosted, and OSError if the port is taken.
    """
    sys.path.insert(0, str(Path.cwd()))
    path = Path("host.json")
    try:
        host_json = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError as error:
        raise HostStartError(f"host.json: {error}") from None
    app = importlib.import_module(options.app).app
    more = {"hidden": options.hidden, "exactly": options.exactly}
    return EmbeddedHost(app, os.environ, host_json, options.port, **more)


def _log_to_stderr() -> None:
    """Logs from INFO on; of the SDKs, which log every request, only errors."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    for noisy in ("azure", "urllib3", "httpx2"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


if __name__ == "__main__":
    sys.exit(main())
