"""The embedded host's queue trigger against real storage (Azurite)."""

from __future__ import annotations

import threading
from base64 import b64encode

import azure.functions as func
import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient

from captioning.embedded.host.queue_listener import Message, pause
from testing.harness.embedded_host import HostLab, Recorder, queue_app, taken
from testing.harness.waiting import HUNG_SECONDS, eventually


def test_runs_for_each_message_and_deletes_it(host_lab: HostLab) -> None:
    seen = Recorder()

    def read(message: func.QueueMessage) -> None:
        seen((message.get_body().decode(), message.dequeue_count, bool(message.id)))

    host_lab.host(queue_app(read))
    host_lab.put("grüß dich")
    eventually(lambda: seen.items == [("grüß dich", 1, True)])
    queue = host_lab.queue(host_lab.name)
    eventually(lambda: queue.get_queue_properties().approximate_message_count == 0)


def test_attempts_then_the_poison_queue_with_the_body(host_lab: HostLab) -> None:
    seen, poisoned = Recorder(), Recorder()

    def fail(message: func.QueueMessage) -> None:
        seen(message.dequeue_count)
        raise ValueError("no luck")

    host_lab.put("doomed")
    host_lab.host(queue_app(fail), {"extensions": {"queues": {"maxDequeueCount": 3}}})
    poison = host_lab.queue(f"{host_lab.name}-poison")

    def moved() -> bool:
        poisoned.items += taken(poison)
        return bool(poisoned.items)

    eventually(moved)
    assert (seen.items, poisoned.items) == ([1, 2, 3], ["doomed"])


def test_what_fails_on_a_poison_queue_waits_and_comes_again(host_lab: HostLab) -> None:
    seen = Recorder()

    def fail_once(message: func.QueueMessage) -> None:
        seen(message.dequeue_count)
        if len(seen.items) == 1:
            raise ValueError("no luck")

    queue = host_lab.queue(f"{host_lab.name}-poison")
    queue.create_queue()
    queue.send_message(b64encode(b"x").decode())
    app = queue_app(fail_once, "%QUEUE%-poison")
    host_lab.host(app, {"extensions": {"queues": {"maxDequeueCount": 1}}}, hidden=1)
    eventually(lambda: seen.items == [1, 2])


def test_what_fails_on_a_poison_queue_is_neither_moved_nor_soon_tried(
    host_lab: HostLab, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(message: func.QueueMessage) -> None:
        raise ValueError("not mine")

    queue = host_lab.queue(f"{host_lab.name}-poison")
    queue.create_queue()
    queue.send_message(b64encode(b"x").decode())
    host_lab.host(queue_app(fail, "%QUEUE%-poison"))
    eventually(lambda: "raised an exception (attempt 1)" in caplog.text)
    assert queue.peek_messages() == []
    assert queue.get_queue_properties().approximate_message_count == 1
    with pytest.raises(ResourceNotFoundError):
        host_lab.queue(f"{host_lab.name}-poison-poison").get_queue_properties()


@pytest.mark.parametrize(
    ("text", "body"), [("", b""), ("abcd", b"i\xb7\x1d"), ("YW\r\nJj\n", b"abc")]
)
def test_what_can_be_decoded_is_a_call(host_lab: HostLab, text: str, body: bytes) -> None:
    seen = Recorder()
    host_lab.queue(host_lab.name).send_message(text)
    host_lab.host(queue_app(lambda message: seen(message.get_body())))
    eventually(lambda: seen.items == [body])


@pytest.mark.parametrize("text", ["not base64!", "abc", "{}"])
def test_a_message_that_is_not_base64_is_poison_at_once(host_lab: HostLab, text: str) -> None:
    seen = Recorder()
    host_lab.queue(host_lab.name).send_message(text)
    host_lab.host(queue_app(seen))
    poison = host_lab.queue(f"{host_lab.name}-poison")
    eventually(lambda: first(poison) == text)
    assert seen.items == []


def first(queue: QueueClient) -> str | None:
    """The text of the message that is first in the queue."""
    try:
        return str(queue.peek_messages()[0].content)
    except (ResourceNotFoundError, IndexError):
        return None


def test_plain_text_where_host_json_says_so(host_lab: HostLab) -> None:
    seen = Recorder()
    host_lab.queue(host_lab.name).send_message("plain <text>")
    host_json = {"extensions": {"queues": {"messageEncoding": "none"}}}
    host_lab.host(queue_app(lambda message: seen(message.get_body())), host_json)
    eventually(lambda: seen.items == [b"plain <text>"])


def test_what_was_plain_text_is_so_on_the_poison_queue(host_lab: HostLab) -> None:
    def fail(message: func.QueueMessage) -> None:
        raise ValueError("no luck")

    text, poison = "plain <text>", host_lab.queue(f"{host_lab.name}-poison")
    host_lab.queue(host_lab.name).send_message(text)
    queues = {"messageEncoding": "none", "maxDequeueCount": 1}
    host_lab.host(queue_app(fail), {"extensions": {"queues": queues}})
    eventually(lambda: first(poison) == text)


def test_a_long_run_keeps_its_message(host_lab: HostLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two renewals, each after half of the time for which the message is hidden."""
    seen, renewed, release = Recorder(), Recorder(), threading.Event()
    update = Message._hide

    def noted(lease: Message, hidden: int) -> None:
        update(lease, hidden)
        renewed(hidden)

    monkeypatch.setattr(Message, "_hide", noted)

    def work(message: func.QueueMessage) -> None:
        seen(message.dequeue_count)
        assert release.wait(HUNG_SECONDS)

    host_lab.put("slow")
    host_lab.host(queue_app(work), hidden=4)
    eventually(lambda: len(renewed.items) >= 2)
    release.set()
    queue = host_lab.queue(host_lab.name)
    eventually(lambda: queue.get_queue_properties().approximate_message_count == 0)
    assert seen.items == [1]


@pytest.mark.parametrize(("exactly", "most"), [(3, 3), (None, 4)])
def test_no_more_run_at_once_than_asked_for(
    host_lab: HostLab, exactly: int | None, most: int
) -> None:
    """With 3 + 1 the host fetches 3 whenever one or none is at work, and so first 3, then 4."""
    seen, gate, lock, highest = Recorder(), threading.Semaphore(0), threading.Lock(), [0]

    def work(message: func.QueueMessage) -> None:
        with lock:
            seen(message.id)
            highest[0] = max(highest[0], len(seen.items) - len(ended.items))
        assert gate.acquire(timeout=HUNG_SECONDS)
        with lock:
            ended(message.id)

    ended = Recorder()
    for number in range(12):
        host_lab.put(str(number))
    batches = {"extensions": {"queues": {"batchSize": 3, "newBatchThreshold": 1}}}
    host_lab.host(queue_app(work), batches, exactly=exactly)
    eventually(lambda: len(seen.items) == 3)
    gate.release(2)
    eventually(lambda: len(seen.items) == (5 if exactly else 6))
    gate.release(20)
    eventually(lambda: len(ended.items) == 12)
    assert highest == [most]


def test_an_empty_queue_is_looked_at_ever_more_rarely() -> None:
    assert [pause(looks) for looks in range(7)] == [0.0, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
