"""`up`, which `make run` runs: the samples through the whole app on this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sys
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest

from captioning.embedded.providers.captioner import NO_TAG
from testing.harness.local_app import FirstRun, StackLocation, ended, place, running, serving
from testing.harness.waiting import HUNG_SECONDS
from testing.paths import ROOT

SAMPLES = ["astronaut", "camera", "cat", "coffee", "page", "postcard", "rocket", "sign"]
FAKE_FUNC = f"""#!{sys.executable}
import http.server, json, os, shutil, sys
seen = {{"arguments": sys.argv[1:], "environ": dict(os.environ), "python": shutil.which("python")}}
open(os.environ["FAKE_FUNC_SAW"], "w").write(json.dumps(seen))

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/api/health" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass

http.server.HTTPServer(("127.0.0.1", int(sys.argv[-1])), Handler).serve_forever()
"""


def test_once_shows_the_samples_and_leaves_nothing_running(first_run: FirstRun) -> None:
    assert (first_run.code, first_run.errors, first_run.left) == (0, "", False)
    rows = first_run.output.rpartition("\npath ")[2].splitlines()[1:]
    assert [row.split()[0] for row in rows] == [f"samples/{name}.jpg" for name in SAMPLES]
    assert [row.rstrip() for row in rows] == rows
    assert re.fullmatch(r"samples/cat.jpg +A cat\. +\S.*\bcat +\d+\.\d\d", rows[2])
    assert "Text reading “HARBOUR BAKERY Fresh bread every day OPEN 7 - 17”." in rows[7]
    for row in (rows[0], rows[6]):
        assert NO_TAG in row


def test_a_second_run_pays_nothing_again_and_serves(again: StackLocation) -> None:
    began = datetime.now(UTC)
    with running(again) as process:
        printed = serving(process)
        listed = again.get("/api/captions?limit=5")["items"]
        assert [item["path"].split("/")[1].split(".")[0] for item in listed] != []
        assert all(datetime.fromisoformat(item["updated"]) < began for item in listed)
        modified = [item["image"]["modified"] for item in listed]
        assert (len(listed), modified) == (5, sorted(modified, reverse=True))
        for address in re.findall(r"curl '?(http[^'\s]+)", printed):
            with urllib.request.urlopen(address, timeout=HUNG_SECONDS) as answer:
                assert answer.status == 200
        assert again.get("/api/health")["status"] == "ok"
        assert again.get("/api/captions/samples/cat.jpg")["caption"] == "A cat."
        refused_beside(again)
        process.send_signal(signal.SIGTERM)
        assert ended(process) == (0, "Stopped.\n", "")
    assert again.is_empty()


def refused_beside(where: StackLocation) -> None:
    """Another `up` on other ports may not work on the same data."""
    with running(StackLocation(where.data, *other_ports(where)), "--once") as process:
        code, output, errors = ended(process)
    assert (code, output) == (1, "")
    assert str(where.data) in errors
    assert "make run DATA=" in errors


def other_ports(where: StackLocation) -> tuple[int, int]:
    other = place(where.data)
    return other.app, other.storage


def test_a_sample_that_is_no_image_any_more_ends_it_with_a_failure(
    again: StackLocation, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    (tmp_path / "samples/cat.jpg").write_text("This is not a cat.")
    with running(again, "--once", "--samples", str(tmp_path / "samples")) as process:
        code, output, errors = ended(process)
    assert (code, errors) == (1, "")
    assert re.search(r"^samples/cat.jpg +rejected \(unsupported_format\): ", output, re.MULTILINE)
    assert re.search(r"^samples/coffee.jpg +Espresso\.", output, re.MULTILINE)
    assert again.is_empty()


@pytest.mark.parametrize(
    ("taken", "option"), [(0, "PORT"), (1, "STORAGE_PORT"), (3, "STORAGE_PORT")]
)
def test_a_taken_port_is_named_with_the_way_out(taken: int, option: str, tmp_path: Path) -> None:
    where = place(tmp_path)
    port = [where.app, where.storage, where.storage + 1, where.storage + 2][taken]
    with socket.create_server(("127.0.0.1", port)), running(where) as process:
        code, output, errors = ended(process)
    assert (code, output) == (1, "")
    assert errors.startswith(f"Port {port}, wanted for ")
    named = re.search(rf"make run {option}=(\d+)\n", errors)
    assert named
    assert int(named[1]) not in {where.app, where.storage}


def test_all_taken_ports_are_named_at_once(tmp_path: Path) -> None:
    where = place(tmp_path)
    with (
        socket.create_server(("127.0.0.1", where.app)),
        socket.create_server(("127.0.0.1", where.storage)),
        running(where) as process,
    ):
        errors = ended(process)[2]
    assert re.search(r"make run PORT=\d+ STORAGE_PORT=\d+\n", errors)


def test_core_tools_that_are_missing_are_named(tmp_path: Path) -> None:
    where = place(tmp_path)
    node = Path(str(shutil.which("node"))).parent
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/node").symlink_to(node / "node")
    with running(where, "--host", "func", environ={"PATH": str(tmp_path / "bin")}) as process:
        code, output, errors = ended(process)
    assert (code, output) == (1, "")
    assert "no `func` on PATH" in errors
    assert "Traceback" not in errors


def test_core_tools_get_the_port_the_storage_and_our_python(
    again: StackLocation, tmp_path: Path
) -> None:
    fake = tmp_path / "bin/func"
    fake.parent.mkdir()
    fake.write_text(FAKE_FUNC)
    fake.chmod(0o755)
    environ = {
        "PATH": f"{fake.parent}{os.pathsep}{os.environ['PATH']}",
        "FAKE_FUNC_SAW": str(tmp_path / "saw"),
    }
    with running(again, environ=environ) as process:
        assert process.stdout
        assert "(func host, embedded providers)" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert ended(process)[0] == 0
    saw = json.loads((tmp_path / "saw").read_text())
    assert saw["arguments"] == ["start", "--port", str(again.app)]
    assert Path(saw["python"]).parent == Path(sys.executable).parent
    for name in ("ImageStorage", "AzureWebJobsStorage"):
        assert f"BlobEndpoint=http://127.0.0.1:{again.storage}/" in saw["environ"][name]
    assert saw["environ"]["FUNCTIONS_WORKER_RUNTIME"] == "python"
    assert again.is_empty()


def test_bad_settings_are_named_before_anything_starts(tmp_path: Path) -> None:
    where = place(tmp_path / "data")
    with running(where, environ={"VISION_API": "5"}) as process:
        code, output, errors = ended(process)
    assert (code, output, errors) == (2, "", "VISION_API must be one of 4.0, 3.2\n")
    assert not where.data.exists()


def test_missing_samples_are_named(tmp_path: Path) -> None:
    with running(place(tmp_path), "--samples", str(tmp_path / "none")) as process:
        code, _, errors = ended(process)
    assert (code, errors) == (2, f"There is no such file or folder: '{tmp_path}/none'\n")
