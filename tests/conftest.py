"""Fixtures that more than one test module uses."""

from __future__ import annotations

import os
import shutil
import signal
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, sync_playwright

from testing.azurite import Azurite
from testing.harness.command_line import CommandLine, settings_of
from testing.harness.embedded_host import HostLab
from testing.harness.gallery_page import EMBEDDED, SAMPLE_NAMES, launched, sample
from testing.harness.hostile_flows import Flows, flows
from testing.harness.local_app import FirstRun, StackLocation, ended, place, running
from testing.harness.pipeline import PipelineLab
from testing.harness.proxied_storage import Behind, proxied
from testing.harness.running_app import RunningApp
from testing.harness.storage import Storage

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
"""No test of Hypothesis fails because the machine is busy. Otherwise the default profile, which
Hypothesis chooses itself on CI."""

LONGEST = ("e2e", "gallery", "resilience", "simulation")
"""Folders whose tests take minutes. They begin first, so that others run beside them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts the longest tests before all others."""
    items.sort(key=lambda item: item.path.parent.name not in LONGEST)


@pytest.fixture(scope="session")
def azurite() -> Iterator[str]:
    """Connection string of a storage emulator; tests share it and use names of their own."""
    with Azurite() as emulator:
        yield emulator.connection_string


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests of the gallery; each has a context of its own."""
    with sync_playwright() as playwright:
        with_pages = launched(playwright)
        yield with_pages
        with_pages.close()


@pytest.fixture(scope="session")
def corpus() -> Flows:
    """What became of every hostile picture, through both services."""
    return flows()


@pytest.fixture(scope="session")
def samples_app(azurite: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """The app with the samples, and a file that is not an image. Tests do not change it."""
    folder, name = tmp_path_factory.mktemp("gallery"), f"l{uuid.uuid4().hex[:12]}"
    with RunningApp("embedded", azurite, folder, name, settings=EMBEDDED) as running:
        for each in SAMPLE_NAMES:
            running.upload(f"samples/{each}.jpg", sample(each))
        running.upload("notes.txt", b"Dear diary.")
        for each in SAMPLE_NAMES:
            running.record(f"samples/{each}.jpg")
        running.record("notes.txt")
        yield running


@pytest.fixture
def host_lab(azurite: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostLab]:
    """A container, a queue and settings of one test, and hosts that end with it."""
    monkeypatch.setenv("ImageStorage", azurite)
    with ExitStack() as stack:
        made = HostLab(azurite, f"t{uuid.uuid4().hex[:12]}", stack)
        made.container.create_container()
        made.queue(made.name).create_queue()
        yield made


@pytest.fixture
def storage(azurite: str) -> Iterator[Storage]:
    """A container and tables of one test, through the app's adapters."""
    with ExitStack() as stack:
        yield Storage(azurite, f"t{uuid.uuid4().hex[:12]}", stack)


@pytest.fixture
def behind(storage: Storage) -> Iterator[Behind]:
    """The same storage, also behind a proxy that changes its answers."""
    with proxied(storage) as both:
        yield both


@pytest.fixture
def lab(storage: Storage) -> Iterator[PipelineLab]:
    """Storage, and both services on local servers."""
    with ExitStack() as stack:
        yield PipelineLab(storage, stack)


@pytest.fixture
def command(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command line, with a container and tables of one test."""
    return CommandLine(settings_of(storage), monkeypatch)


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    """A first run, with whose data other runs begin."""
    where = place(tmp_path_factory.mktemp("up") / "data")
    with running(where, "--once") as process:
        code, output, errors = ended(process)
    return FirstRun(where, code, output, errors, not where.is_empty())


@pytest.fixture
def again(first_run: FirstRun, tmp_path: Path) -> Iterator[StackLocation]:
    """A location with the data of the first run. Fails if a process is left running."""
    shutil.copytree(first_run.where.data, tmp_path / "data")
    where = place(tmp_path / "data")
    yield where
    left = where.processes()
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left
