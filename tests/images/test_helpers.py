"""Helpers: what they do as the app sees it, and what becomes of a picture that is too much."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from captioning.config.settings import helper_environ
from captioning.errors import CorruptImage, ImageRejected, ImageTooLarge, ServiceUnavailable
from captioning.images import picture as in_process
from captioning.images.helpers import tasks
from captioning.images.helpers.channel import Channel
from captioning.images.helpers.decoders import REQUESTS, SPARES, Decoders
from captioning.images.helpers.lane import Lane
from captioning.images.helpers.process import Kind
from captioning.images.rendition import InputLimits
from testing.factories import pictures

FAKE = "testing.fakes.decoder"
PHOTO = pictures.oriented(6)
ENVIRON = helper_environ()


@pytest.fixture(scope="module")
def real() -> Iterator[Decoders]:
    decoders = Decoders(512, 60, ENVIRON)
    yield decoders
    decoders.close()


@pytest.fixture
def fake() -> Iterator[Decoders]:
    decoders = Decoders(256, 60, ENVIRON, FAKE)
    yield decoders
    decoders.close()


@pytest.fixture
def beside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as threads:
        yield threads


class Hold:
    """A task that its helper works on until it is let go."""

    def __init__(self, folder: Path, name: str) -> None:
        self._pipe = folder / name
        os.mkfifo(self._pipe)
        self.command = f"hold {self._pipe}".encode()

    def wait_until_begun(self) -> Hold:
        self._end = self._pipe.open("wb")  # opens once the helper reads
        return self

    def has_begun(self) -> bool:
        try:
            os.close(os.open(self._pipe, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True

    def let_go(self) -> None:
        self._end.close()


def pid_of(decoders: Decoders) -> int:
    """The helper that events have used last."""
    return decoders.inspect(b"pid").width


def wait_for_end(pid: int) -> None:
    """Waits until a process has ended, whoever's child it is."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([watched], [], [], 30)[0]
    finally:
        os.close(watched)


@pytest.mark.parametrize("name", [n for n, (_, code) in pictures.STRANGE.items() if not code])
def test_a_picture_is_the_same_as_without_helpers(real: Decoders, name: str) -> None:
    data = pictures.STRANGE[name][0]
    far, near = real.inspect(data), in_process.inspect(data)
    assert far.for_model() == near.for_model()
    assert far.sketch() == near.sketch()
    for fact in (*near.__slots__, "format", "width", "height", "frames", "orientation", "color"):
        if fact != "reencode":
            assert getattr(far, fact) == getattr(near, fact)
    for limits in (
        InputLimits(frozenset({near.format}), 10**9),
        InputLimits(frozenset(), 10**9, max_side=200),
    ):
        assert far.for_service(limits) == near.for_service(limits)
    assert real.thumbnail(data, 160) == in_process.thumbnail(data, 160)
    assert real.read_header(data) == in_process.read_header(data)
    assert real.check_header(data, 50) == in_process.check_header(data, 50)


@pytest.mark.parametrize("name", [n for n, (_, code) in pictures.STRANGE.items() if code])
def test_a_refusal_is_the_same_as_without_helpers(real: Decoders, name: str) -> None:
    data = pictures.STRANGE[name][0]
    said = []
    for make in (real.inspect, in_process.inspect):
        with pytest.raises(ImageRejected) as caught:
            make(data).for_service(InputLimits(frozenset({"JPEG"}), 10**9, min_side=50))
        said.append((type(caught.value), caught.value.message))
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("file_format", "mode"),
    [
        (file_format, mode)
        for file_format in ("PNG", "GIF", "TIFF", "WEBP", "AVIF")
        for mode in ("RGB", "RGBA", "P")
    ]
    + [("JPEG", "RGB")],
)
def test_what_a_header_says_that_decoding_needs_is_enough(file_format: str, mode: str) -> None:
    image = pictures.quadrants(3200, 2400).convert(mode)
    speed = {"speed": 10} if file_format == "AVIF" else {}
    data = pictures.encoded(image, file_format, **speed)
    decoders = Decoders(max(96, tasks.memory_needed(data)), 60, ENVIRON)
    try:
        assert decoders.inspect(data).width == 3200
    finally:
        decoders.close()


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "AVIF", "TIFF"])
def test_a_picture_that_needs_more_memory_is_too_large_and_not_damaged(file_format: str) -> None:
    image = pictures.quadrants(6000, 5000).convert("RGBA")
    speed = {"speed": 10} if file_format == "AVIF" else {}
    data = pictures.encoded(image, file_format, **speed)
    decoders = Decoders(128, 60, ENVIRON)
    try:
        with pytest.raises(ImageTooLarge, match="DECODE_MEMORY_MIB"):
            decoders.inspect(data)
        assert decoders.inspect(PHOTO).width == 400
    finally:
        decoders.close()


def test_a_picture_that_takes_too_long_is_corrupt_and_its_helper_is_replaced() -> None:
    decoders = Decoders(256, 1, ENVIRON, FAKE)
    try:
        before = pid_of(decoders)
        with pytest.raises(CorruptImage, match="DECODE_SECONDS"):
            decoders.inspect(b"sleep")
        wait_for_end(before)
        assert pid_of(decoders) != before
    finally:
        decoders.close()


@pytest.mark.parametrize(("command", "end"), [("burn", signal.SIGXCPU), ("allocate", None)])
def test_the_system_holds_a_helper_to_its_limits(command: str, end: int | None) -> None:
    near, far = socket.socketpair()
    call = [sys.executable, "-m", "captioning.images.helpers.worker", "128", "0", FAKE]
    with far, subprocess.Popen(call, stdin=far.fileno()) as process:
        channel = Channel(near)
        channel.receive(0)
        channel.send({"task": "inspect", "light": True, "seconds": 1}, command.encode())
        if end is None:
            assert channel.receive(0)[0] == {"lacks": "memory"}
            channel.close()
            assert process.wait() == 0
        else:  # nobody in this process watches the clock
            assert process.wait() == -end
            channel.close()


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (b"allocate", ImageTooLarge),
        (b"heavy allocate", ImageTooLarge),
        (b"signal 9", ImageTooLarge),
        (b"signal 11", CorruptImage),
        (b"signal 6", CorruptImage),
        (b"exit", CorruptImage),
        (b"heavy exit", CorruptImage),
        (b"say {}", CorruptImage),
        (b"fault secret", RuntimeError),
    ],
)
def test_a_failure_is_that_of_one_picture(
    fake: Decoders, beside: ThreadPoolExecutor, tmp_path: Path, command: bytes, error: type
) -> None:
    hold = Hold(tmp_path, "other")
    other = beside.submit(fake.inspect, hold.command)
    hold.wait_until_begun()
    for ask in (fake.inspect, fake.read_header):
        with pytest.raises(error) as caught:
            ask(command)
        assert len(str(caught.value).split()) > 5
        assert "secret" not in str(caught.value)
    assert fake.inspect(b"number 5").width == 5
    hold.let_go()
    assert other.result().format == "PNG"


def test_a_helper_that_was_ended_while_it_was_idle_costs_no_picture(fake: Decoders) -> None:
    before = pid_of(fake)
    os.kill(before, signal.SIGKILL)
    wait_for_end(before)
    assert pid_of(fake) != before


def test_helpers_that_do_not_start_are_no_fault_of_the_picture(
    capfd: pytest.CaptureFixture[str],
) -> None:
    decoders = Decoders(256, 60, ENVIRON, "testing.no_such_module")
    with pytest.raises(ServiceUnavailable, match="does not start"):
        decoders.inspect(PHOTO)
    assert "no_such_module" in capfd.readouterr().err
    decoders.close()


def test_a_slow_picture_leaves_its_slot_to_others(
    beside: ThreadPoolExecutor, tmp_path: Path
) -> None:
    lane = Lane(Kind(256, 0, FAKE, ENVIRON), 1, 1, 60)
    said = {"task": "thumbnail", "light": True}
    hold = Hold(tmp_path, "slow")
    slow = beside.submit(lane.ask, said, hold.command)
    hold.wait_until_begun()
    for number in (1, 2):
        assert lane.ask(said, f"number {number}".encode())[1] == str(number).encode()
    assert not slow.done()
    hold.let_go()
    assert slow.result()[1]
    lane.close()


def test_a_picture_that_finds_no_helper_free_is_to_come_back(
    beside: ThreadPoolExecutor, tmp_path: Path
) -> None:
    lane = Lane(Kind(256, 0, FAKE, ENVIRON), 1, 0, 1)
    hold = Hold(tmp_path, "busy")
    held = beside.submit(lane.ask, {"task": "thumbnail", "light": True}, hold.command)
    hold.wait_until_begun()
    with pytest.raises(ServiceUnavailable, match="Try again"):
        lane.ask({"task": "thumbnail", "light": True}, b"pid")
    hold.let_go()
    held.exception()
    lane.close()


def test_requests_and_events_do_not_wait_for_each_other(
    fake: Decoders, beside: ThreadPoolExecutor, tmp_path: Path
) -> None:
    many = max(2, os.cpu_count() or 1) + SPARES
    busy: list[tuple[Hold, Future[Any]]] = []

    def fill(count: int, ask: Any, *more: Any) -> None:
        for _ in range(count):
            hold = Hold(tmp_path, str(len(busy)))
            busy.append((hold, beside.submit(ask, hold.command, *more)))
        for hold, _ in busy[-count:]:
            hold.wait_until_begun()

    fill(many, fake.inspect)
    assert fake.thumbnail(b"number 3", 160) == b"3"
    for hold, _ in busy:
        hold.let_go()
    fill(REQUESTS + SPARES, fake.thumbnail, 160)
    assert fake.inspect(b"number 4").width == 4
    for hold, _ in busy[many:]:
        hold.let_go()
    assert all(done.result() for _, done in busy)


def test_two_heavy_pictures_are_never_decoded_at_once_and_light_ones_pass_them(
    fake: Decoders, beside: ThreadPoolExecutor, tmp_path: Path
) -> None:
    holds = [Hold(tmp_path, name) for name in ("first", "second")]
    first = beside.submit(fake.inspect, b"heavy " + holds[0].command)
    holds[0].wait_until_begun()
    second = beside.submit(fake.inspect, b"heavy " + holds[1].command)
    for number in range(1, 20):
        assert fake.inspect(f"number {number}".encode()).width == number
    assert not holds[1].has_begun()
    holds[0].let_go()
    first.result()
    holds[1].wait_until_begun().let_go()
    second.result()


def test_many_threads_get_each_their_own_answer(fake: Decoders, beside: ThreadPoolExecutor) -> None:
    def width(number: int) -> int:
        return fake.inspect(f"number {number}".encode()).width

    assert list(beside.map(width, range(1, 300))) == list(range(1, 300))


def test_signals_of_the_terminal_and_the_system_leave_helpers_to_the_app(fake: Decoders) -> None:
    pid = pid_of(fake)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)
    assert pid_of(fake) == pid


def test_helpers_end_with_an_app_that_is_killed(tmp_path: Path) -> None:
    hold = Hold(tmp_path, "asleep")
    script = f"""
import threading
from captioning.images.helpers.decoders import Decoders
decoders = Decoders(256, 300, {{}}, {FAKE!r})
pid = decoders.inspect(b"pid").width
threading.Thread(target=decoders.inspect, args=({hold.command!r},)).start()
print(pid, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as app:
        assert app.stdout
        pid = int(app.stdout.readline())
        hold.wait_until_begun()
        app.kill()
    wait_for_end(pid)
    hold.let_go()


def test_close_leaves_no_process(beside: ThreadPoolExecutor, tmp_path: Path) -> None:
    decoders = Decoders(256, 60, ENVIRON, FAKE)
    hold = Hold(tmp_path, "last")
    pids = [pid_of(decoders), int(decoders.thumbnail(b"pid", 160))]
    pids.append(decoders.inspect(b"heavy pid").width)
    last = beside.submit(decoders.inspect, hold.command)
    hold.wait_until_begun()
    decoders.close()
    hold.let_go()
    assert last.result().format == "PNG"  # what is under way is finished
    for pid in pids:
        with pytest.raises(ProcessLookupError):  # not even a zombie
            os.kill(pid, 0)


def test_a_helper_is_told_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISION_KEY", "a secret")
    decoders = Decoders(256, 60, helper_environ(), FAKE)
    with pytest.raises(CorruptImage) as caught:
        decoders.inspect(b"environ")
    names = set(caught.value.message.split())
    assert "PYTHONPATH" in names
    assert names <= {*helper_environ(), "PYTHONPATH", "PILLOW_BLOCKS_MAX", "LC_CTYPE"}
    decoders.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"\xff" * 64,
        b"\0\0\0\2\0\0\0\0[]",
        b"\0\0\0\2\0\0\0\0{]",
        b"\0\0\1\0\0\0\0\0" + b"[" * 256,
        b"\0\0\0\2\0\0\1\0{}" + bytes(256),
    ],
)
def test_a_malformed_message_is_not_read_on(sent: bytes) -> None:
    with ExitStack() as stack:
        near, far = (stack.enter_context(end) for end in socket.socketpair())
        far.sendall(sent)
        with pytest.raises(ValueError):  # noqa: PT011 - of any parser
            Channel(near).receive(255)
