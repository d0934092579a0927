"""The command line as a user meets it: in this process, as a process of its own, on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from captioning.cli.main import cli
from captioning.domain.record import CaptionRecord, record_id
from testing.factories.records import FULL
from testing.harness.processes import started
from testing.harness.storage import Storage
from testing.harness.waiting import HUNG_SECONDS
from testing.paths import ROOT

MODULE = [sys.executable, "-m", "captioning"]
DEAD_STORAGE = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=c2VjcmV0;"
    "BlobEndpoint=http://127.0.0.1:9/a;QueueEndpoint=http://127.0.0.1:9/a;"
    "TableEndpoint=http://127.0.0.1:9/a;"
)
"""The connection string of storage that does not answer: nothing listens on port 9."""


def settings_of(storage: Storage) -> dict[str, str]:
    """Settings for the command line, with the container and tables of one test."""
    return {
        "ImageStorage": storage.connection,
        "IMAGES_CONTAINER": storage.name,
        "CAPTIONS_TABLE": storage.name,
        "IGNORE_FILES": "",
    }


def saved(storage: Storage, path: str = FULL.path, **changes: Any) -> CaptionRecord:
    """Saves FULL, with changes, as the record of a path."""
    record = replace(FULL, path=path, id=record_id(path), **changes)
    storage.catalog.save(record, None)
    return record


class CommandLine:
    """Runs commands in the project's folder, with the settings of one test."""

    def __init__(self, settings: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings = dict(settings)
        self._monkeypatch = monkeypatch

    def __call__(self, *arguments: object) -> Any:
        """Runs a command in this process; the result has exit_code, stdout and stderr."""
        self._monkeypatch.chdir(ROOT)
        result = CliRunner().invoke(cli, [str(each) for each in arguments], env=self.settings)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    @contextmanager
    def process(self, *arguments: object, **options: Any) -> Iterator[subprocess.Popen[str]]:
        """Runs a command as a process with piped output, which is killed at the end of the
        block."""
        with started(
            [*MODULE, *(str(each) for each in arguments)],
            **{
                "cwd": ROOT,
                "env": {**os.environ, **self.settings},
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                **options,
            },
        ) as process:
            try:
                yield process
            finally:
                process.kill()


class Terminal:
    """A terminal, 80 columns wide, for a process to write to. `text` is what was written so far."""

    def __init__(self) -> None:
        self._ours, self.end = pty.openpty()
        termios.tcsetwinsize(self.end, (24, 80))
        self._written = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        return self._written.decode("utf-8", "replace").replace("\r\n", "\n")

    def press(self, keys: bytes) -> None:
        """Types these keys."""
        os.write(self._ours, keys)

    def close(self) -> None:
        """Closes the terminal, after the processes that use it have ended."""
        os.close(self.end)
        self._reader.join(HUNG_SECONDS)
        os.close(self._ours)

    def _read(self) -> None:
        try:
            while some := os.read(self._ours, 65_536):
                self._written += some
        except OSError:  # the last process closed its end
            return
