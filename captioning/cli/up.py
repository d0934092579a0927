"""`make run`: runs storage and the app on this machine, and captions the sample photos."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Sequence
from typing import Literal
from urllib.parse import quote

from azure.core.exceptions import AzureError

from captioning.app.services import build_services
from captioning.cli.console import complain, print_table, say
from captioning.cli.drop import Item, drop
from captioning.config.settings import Settings
from captioning.domain.record import FINAL, CaptionRecord
from captioning.embedded.stack.azurite import USUAL_PORT
from captioning.embedded.stack.child import StackError
from captioning.embedded.stack.stack import HostKind, Stack
from captioning.transport import Answer, ask_local

CAPTION_SECONDS = 120.0
"""How long to wait for the captions of the samples."""


def up(
    stack: Stack,
    samples: Sequence[Item],
    *,
    host: Literal["auto", "embedded", "func"],
    once: bool,
) -> int:
    """Runs storage and the app, uploads the samples and prints their captions; then serves until
    Ctrl-C, or with `once` exits. Returns the exit status: 0 where every sample was captioned."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)  # a shell has its background jobs ignore SIGINT
    settings = Settings.from_environ(stack.environ)
    try:
        kind = _host_kind(host)
        with stack:
            etags = _drop_samples(settings, samples)
            stack.start_host(kind)
            _introduce(stack, kind, settings)
            captioned = _show(stack, etags)
            if once:
                return 0 if captioned else 1
            return _serve(stack)
    except StackError as error:
        complain(str(error))
        return 1
    except KeyboardInterrupt:
        say("Stopped.")
        return 0


def _host_kind(wanted: Literal["auto", "embedded", "func"]) -> HostKind:
    """The host to run; with `auto`, Core Tools where they are installed."""
    installed = shutil.which("func") is not None
    if wanted == "func" and not installed:
        raise StackError(
            "Azure Functions Core Tools are not installed: there is no `func` on PATH. Install "
            "them, or run the app without them: make run HOST=embedded"
        )
    if wanted == "auto":
        return "func" if installed else "embedded"
    return wanted


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _drop_samples(settings: Settings, samples: Sequence[Item]) -> dict[str, str]:
    """Uploads the samples that are not stored yet; their ETags by path."""
    services = build_services(settings)
    try:
        for done in drop(services.images, samples):
            if done.outcome == "failed":
                raise StackError(f"{done.item.file} {done.problem}")
        return {item.path: services.images.describe(item.path).etag for item in samples}
    except AzureError as error:
        raise StackError(f"Azurite does not work as expected: {type(error).__name__}") from error
    finally:
        services.close()


def _introduce(stack: Stack, kind: HostKind, settings: Settings) -> None:
    connection_string = stack.ports.storage.connection_string
    storage = f"ImageStorage='{connection_string}' " if stack.ports.blob != USUAL_PORT else ""
    providers = " and ".join(sorted({settings.vision_provider, settings.caption_provider}))
    container = settings.images_container
    say(f"Image captioning on {stack.url} ({kind} host, {providers} providers)")
    say()
    say(f"  gallery        {stack.url}/")
    say(f"  drop images    {storage}.venv/bin/python -m captioning drop FILE-OR-FOLDER…")
    say(f"                 or with any storage tool into the container `{container}`:")
    say(f"                 {connection_string}")
    say(f"  ask            curl {stack.url}/api/captions/samples/cat.jpg")
    say(f"  list           curl '{stack.url}/api/captions?limit=5'")
    say(f"  health         curl {stack.url}/api/health")
    say()


def _show(stack: Stack, etags: dict[str, str]) -> bool:
    """Prints the samples' records, read from the API; True where each one is captioned."""
    deadline = time.monotonic() + CAPTION_SECONDS
    records = {path: _final_record(stack, path, etag, deadline) for path, etag in etags.items()}
    print_table(record for record in records.values() if record)
    for path, record in records.items():
        if record is None or record.status not in FINAL:
            complain(f"{path} has no caption after {CAPTION_SECONDS:.0f} seconds.")
    return all(record and record.status == "captioned" for record in records.values())


def _final_record(stack: Stack, path: str, etag: str, deadline: float) -> CaptionRecord | None:
    """The record of this version of the blob, once it is final, or at the deadline."""
    while True:
        stack.raise_if_dead()
        record = _lookup(stack, path)
        if record and record.image.etag != etag:
            record = None
        if (record and record.status in FINAL) or time.monotonic() > deadline:
            return record
        time.sleep(0.05)


def _lookup(stack: Stack, path: str) -> CaptionRecord | None:
    url = f"{stack.url}/api/captions/{quote(path)}"
    answer = ask_local(url, 10)
    if answer is None or answer.status == 404:
        return None
    if not answer.is_success:
        raise StackError(f"The app answered {answer.status} to {url}{_said(answer)}")
    return CaptionRecord.from_json(json.loads(answer.body))


def _said(answer: Answer) -> str:
    """What the app says is wrong and what to do: its tables may be of an earlier version."""
    try:
        return f": {json.loads(answer.body)['detail']}"
    except (ValueError, KeyError, TypeError):
        return ""


def _serve(stack: Stack) -> int:
    say()
    say("Serving until Ctrl-C.")
    while True:
        stack.raise_if_dead()
        time.sleep(0.5)
