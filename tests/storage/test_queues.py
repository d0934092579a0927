"""The queue of images that wait: what is on it, for how long, and when it does not answer."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import azure.functions as func
import pytest
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.queue import QueueClient
from requests import PreparedRequest, Response

from captioning.domain.messages import CaptionMessage
from captioning.errors import StorageUnavailable
from captioning.storage.queues import MessageQueue, connect
from captioning.storage.sessions import ExactPathSession
from testing.harness.command_line import DEAD_STORAGE
from testing.harness.embedded_host import HostLab, Recorder, queue_app
from testing.harness.storage import Storage
from testing.harness.waiting import eventually

LONGEST_PATH = "🏖" * 1_024
"""The most that 1,024 characters can be, whether the service counts them or UTF-16 units."""
MESSAGE_BYTES = 64 * 1024


class RecordingSession(ExactPathSession):
    """Notes the address of each request."""

    def __init__(self) -> None:
        super().__init__(pool=4)
        self.sent: list[str] = []

    def send(self, request: PreparedRequest, **options: Any) -> Response:
        self.sent.append(str(request.url))
        return super().send(request, **options)


@pytest.fixture
def raw(storage: Storage) -> Iterator[QueueClient]:
    """The queue as it is."""
    with QueueClient.from_connection_string(storage.connection, storage.name) as client:
        yield client


@pytest.fixture
def queue(storage: Storage) -> Iterator[MessageQueue]:
    """The queue as the app reaches it."""
    with ExitStack() as stack:
        made = connect(storage.name, connection_string=storage.connection)
        stack.callback(made.close)
        made.create()
        yield made


def impatient(connection: str) -> MessageQueue:
    """A queue that is asked once, and is not there."""
    return MessageQueue(QueueClient.from_connection_string(connection, "missing", retry_total=0))


@pytest.mark.parametrize(
    "wake",
    [
        CaptionMessage("a.jpg"),
        CaptionMessage('2026/"b" c.jpg', ticket="worker/1", afresh="id"),
        CaptionMessage(LONGEST_PATH, ticket="t" * 200, afresh="a" * 64),
    ],
    ids=["short", "odd", "longest"],
)
def test_a_message_arrives_as_it_was_sent(
    wake: CaptionMessage, queue: MessageQueue, raw: QueueClient
) -> None:
    queue.put(wake, 0)
    message = raw.receive_message()
    assert message
    assert CaptionMessage.from_json(b64decode(message.content, validate=True)) == wake
    assert len(message.content) < MESSAGE_BYTES / 3


def test_a_host_that_decodes_base64_reads_it(host_lab: HostLab) -> None:
    seen = Recorder()
    with ExitStack() as stack:
        queue = connect(host_lab.name, connection_string=host_lab.connection)
        stack.callback(queue.close)

        def read(message: func.QueueMessage) -> None:
            seen(CaptionMessage.from_json(message.get_body()))

        host_lab.host(queue_app(read), {"extensions": {"queues": {"messageEncoding": "base64"}}})
        queue.put(CaptionMessage("grüße/🏖.jpg", ticket="worker/1"), 0)
        eventually(lambda: seen.items == [CaptionMessage("grüße/🏖.jpg", ticket="worker/1")])


@pytest.mark.parametrize(
    ("delay", "hidden"), [(0, 0), (-3.0, 0), (0.1, 1), (7_199.2, 7_200), (8 * 86_400, 604_740)]
)
def test_a_message_is_hidden_for_its_delay_and_does_not_die(
    delay: float, hidden: int, storage: Storage, queue: MessageQueue
) -> None:
    session = RecordingSession()
    with QueueClient.from_connection_string(
        storage.connection, storage.name, transport=RequestsTransport(session=session)
    ) as client:
        MessageQueue(client).put(CaptionMessage("a.jpg"), delay)
    (url,) = session.sent
    assert f"visibilitytimeout={hidden}&messagettl=-1" in url
    assert queue.depth() == 1


def test_a_message_outlives_the_seven_days_of_the_service(
    queue: MessageQueue, raw: QueueClient
) -> None:
    queue.put(CaptionMessage("a.jpg"), 0)
    message = raw.receive_message()
    assert message
    assert message.expires_on
    assert message.inserted_on
    assert (message.expires_on - message.inserted_on).days > 365 * 1_000


def test_hidden_messages_count(queue: MessageQueue, raw: QueueClient) -> None:
    assert queue.depth() == 0
    queue.put(CaptionMessage("a.jpg"), 0)
    queue.put(CaptionMessage("b.jpg"), 3_600)
    assert queue.depth() == 2
    assert len(list(raw.receive_messages())) == 1


def test_a_queue_is_there_once_it_was_made(storage: Storage) -> None:
    with ExitStack() as stack:
        queue = connect(storage.name, connection_string=storage.connection)
        stack.callback(queue.close)
        assert not queue.is_there()
        queue.create()
        queue.create()
        assert queue.is_there()


def test_a_queue_that_does_not_answer_is_storage_trouble(storage: Storage) -> None:
    for connection, reason in ((storage.connection, "404"), (DEAD_STORAGE, "cannot be reached")):
        queue = impatient(connection)
        with pytest.raises(StorageUnavailable, match=reason):
            queue.put(CaptionMessage("a.jpg"), 0)
        with pytest.raises(StorageUnavailable, match=reason):
            queue.depth()
        assert not queue.is_there()
        queue.close()
