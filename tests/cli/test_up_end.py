"""How `up` ends: by Ctrl-C, by a child that dies, by a kill. Nothing is left running."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import pytest

from testing.harness.command_line import Terminal
from testing.harness.local_app import StackLocation, ended, place, running, serving
from testing.harness.processes import started
from testing.harness.waiting import HUNG_SECONDS, eventually
from testing.paths import ROOT

ON_A_TERMINAL = (
    "import os, sys; os.login_tty(int(sys.argv[1])); os.execvp(sys.argv[2], sys.argv[2:])"
)


def test_ctrl_c_on_the_terminal_of_make_run_leaves_nothing_running(again: StackLocation) -> None:
    """The terminal sends it to make, its shell and us alike."""
    terminal = Terminal()
    make = ["make", "-o", "setup", "run", *again.make_variables, "HOST=embedded"]
    process = started(
        [sys.executable, "-c", ON_A_TERMINAL, str(terminal.end), *make],
        cwd=ROOT,
        pass_fds=[terminal.end],
    )
    try:
        eventually(lambda: "Serving until Ctrl-C." in terminal.text, lambda: terminal.text)
        terminal.press(b"\x03")
        process.wait(HUNG_SECONDS)
    finally:
        process.kill()
        process.wait()
        terminal.close()
    assert "Stopped." in terminal.text
    assert "Traceback" not in terminal.text
    table = re.sub(r"\x1b\[[0-9;]*m", "", terminal.text).partition("\npath ")[2].splitlines()
    assert max(map(len, table[1:])) <= 80
    assert table[0].endswith("seconds")
    assert again.is_empty()


def test_ctrl_c_while_it_starts_leaves_nothing_running(tmp_path: Path) -> None:
    where = place(tmp_path)
    with running(where) as process:
        eventually(lambda: len(where.processes()) > 1)
        process.send_signal(signal.SIGINT)
        assert ended(process) == (0, "Stopped.\n", "")
    eventually(where.is_empty, where.processes)


def test_a_host_that_dies_is_named_with_its_log(again: StackLocation) -> None:
    with running(again) as process:
        serving(process)
        (host,) = (pid for pid, args in again.processes().items() if "embedded.host" in args)
        os.kill(host, signal.SIGKILL)
        code, _, errors = ended(process)
    assert code == 1
    assert errors.startswith("embedded host ended; its log ends with:\n")
    assert f"Embedded Functions host on http://127.0.0.1:{again.app}" in errors
    assert again.is_empty()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no signal for it")
def test_what_it_started_does_not_outlive_it(again: StackLocation) -> None:
    with running(again) as process:
        serving(process)
        assert len(again.processes()) == 3
        process.kill()
        process.wait()
        eventually(again.is_empty, again.processes)
