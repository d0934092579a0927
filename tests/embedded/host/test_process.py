"""How the embedded host starts, ends, and survives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import azure.functions as func
import pytest
from azure.storage.blob import BlobServiceClient

from captioning.embedded.host.embedded_host import EmbeddedHost
from captioning.embedded.host.functions import HostStartError
from testing.azurite import Azurite, free_ports
from testing.harness.embedded_host import HostLab, Recorder, blob_app, queue_app
from testing.harness.embedded_http import ask
from testing.harness.processes import started
from testing.harness.waiting import HUNG_SECONDS, eventually
from testing.paths import ROOT

CRASHING_APP = """
import os, pathlib, time
import azure.functions as func
import azurefunctions.extensions.bindings.blob as blob

app = func.FunctionApp()
log = pathlib.Path("log")

@app.route(route="ping")
def ping(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("pong")

@app.function_name("caption_image")
@app.blob_trigger(arg_name="client", path="%IMAGES_CONTAINER%/{name}", connection="ImageStorage")
def caption_image(client: blob.BlobClient) -> None:
    with log.open("a") as file:
        file.write(client.blob_name + "\\n")
    if pathlib.Path("hang").exists():
        time.sleep(3600)
"""


def run_host(
    folder: Path, port: int, settings: dict[str, str], *options: str
) -> subprocess.Popen[str]:
    """A host as its own process."""
    return started(
        [sys.executable, "-m", "captioning.embedded.host", "--port", str(port), *options],
        cwd=folder,
        env={**os.environ, **settings, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and stderr."""
    _, errors = process.communicate(timeout=HUNG_SECONDS)
    return process.returncode, errors


@pytest.mark.parametrize("missing", ["ImageStorage", "QUEUE"])
def test_a_missing_setting_is_named_with_its_function(missing: str) -> None:
    settings = {"ImageStorage": "UseDevelopmentStorage=true", "QUEUE": "q"}
    del settings[missing]
    with pytest.raises(HostStartError) as raised:
        EmbeddedHost(queue_app(Recorder()), settings, {})
    assert missing in str(raised.value)
    assert "deferred" in str(raised.value)


def test_a_parameter_it_cannot_give_stops_the_start() -> None:
    app = func.FunctionApp()

    @app.blob_trigger(arg_name="data", path="c/{n}", connection="ImageStorage")
    def reads(data: func.InputStream) -> None:
        """Wants bytes."""

    with pytest.raises(HostStartError, match=r"reads.*BlobClient"):
        EmbeddedHost(app, {"ImageStorage": "UseDevelopmentStorage=true"}, {})


def test_storage_may_come_late(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    emulator = Azurite()
    connection = emulator.connection_string
    monkeypatch.setenv("ImageStorage", connection)
    seen = Recorder()
    settings = {"ImageStorage": connection, "IMAGES_CONTAINER": "images"}
    with EmbeddedHost(blob_app(lambda client: seen(client.blob_name)), settings, {}) as host:
        eventually(lambda: "Storage does not answer" in caplog.text)
        assert ask(host, "GET", "/none")[0].status == 404
        with emulator, BlobServiceClient.from_connection_string(connection) as service:
            service.create_container("images").upload_blob("x", b"x")
            eventually(lambda: seen.items == ["x"])
            eventually(lambda: "Storage answers again" in caplog.text)
            host.stop()
    assert caplog.text.count("Storage does not answer") == 1


def test_a_kill_in_the_middle_of_an_invocation_loses_nothing(
    host_lab: HostLab, tmp_path: Path
) -> None:
    (tmp_path / "function_app.py").write_text(CRASHING_APP)
    (tmp_path / "hang").touch()
    port, log = free_ports(1)[0], tmp_path / "log"
    host_lab.upload("precious.jpg")
    first = run_host(tmp_path, 0, host_lab.settings, "--hidden", "2")
    eventually(lambda: log.exists() and log.read_text() == "precious.jpg\n")
    first.kill()
    assert ended(first)[0] == -signal.SIGKILL
    (tmp_path / "hang").unlink()
    second = run_host(tmp_path, port, host_lab.settings)
    assert first_line(second) == f"Embedded Functions host on http://127.0.0.1:{port}\n"
    eventually(lambda: log.read_text() == "precious.jpg\n" * 2)
    second.terminate()
    assert ended(second) == (0, "")


def test_an_invocation_that_does_not_end_does_not_keep_it(
    host_lab: HostLab, tmp_path: Path
) -> None:
    (tmp_path / "function_app.py").write_text(CRASHING_APP)
    (tmp_path / "hang").touch()
    host_lab.upload("x")
    process = run_host(tmp_path, 0, host_lab.settings)
    eventually((tmp_path / "log").exists)
    process.terminate()
    code, errors = ended(process)
    assert (code, "still running" in errors) == (0, True)


def test_a_taken_port_is_named(host_lab: HostLab, tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(CRASHING_APP)
    with EmbeddedHost(func.FunctionApp(), {}, {}) as taken_by:
        port = int(taken_by.url.rpartition(":")[2])
        code, errors = ended(run_host(tmp_path, port, host_lab.settings))
    assert (code, errors) == (2, f"Port {port} is taken; choose another with --port\n")


def test_a_missing_setting_ends_it(host_lab: HostLab, tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(CRASHING_APP)
    del host_lab.settings["IMAGES_CONTAINER"]
    code, errors = ended(run_host(tmp_path, 0, host_lab.settings))
    assert code == 1
    assert "caption_image: the setting IMAGES_CONTAINER" in errors
