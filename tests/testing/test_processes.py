"""Tests neither depend on how they were started nor on how busy the machine is."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from testing.harness.command_line import CommandLine
from testing.harness.local_app import ended, place, running
from testing.harness.processes import started
from testing.harness.waiting import HUNG_SECONDS, eventually


@pytest.fixture
def _in_the_background() -> Iterator[None]:
    """SIGINT is ignored, as in a background job of a shell script."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    assert signal.signal(signal.SIGINT, before) == signal.SIG_IGN


pytestmark = pytest.mark.usefixtures("_in_the_background")


def test_a_process_is_ended_by_sigint() -> None:
    with started(["sleep", "3600"]) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(HUNG_SECONDS) == -signal.SIGINT


def test_the_command_line_is_ended_by_sigint(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    with command.process("drop", tmp_path, "--wait") as process:
        assert process.stdout
        assert process.stdout.readline() == "sent    a.jpg\n"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=HUNG_SECONDS)
    assert process.returncode == 130


def test_up_is_ended_by_sigint(tmp_path: Path) -> None:
    where = place(tmp_path)
    with running(where) as process:
        eventually(lambda: len(where.processes()) > 1)
        process.send_signal(signal.SIGINT)
        assert ended(process) == (0, "Stopped.\n", "")


def test_no_test_of_hypothesis_has_a_deadline() -> None:
    assert settings().deadline is None
    assert HealthCheck.too_slow in settings().suppress_health_check
