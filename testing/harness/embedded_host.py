"""Storage, apps and hosts for tests of the embedded host."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import azure.functions as func
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient
from azurefunctions.extensions.bindings import blob

from captioning.embedded.host.embedded_host import EmbeddedHost


@dataclass
class HostLab:
    """Storage with names of one test, and hosts that end with it."""

    connection: str
    name: str
    stack: ExitStack
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.settings = {
            "ImageStorage": self.connection,
            "AzureWebJobsStorage": self.connection,
            "IMAGES_CONTAINER": self.name,
            "QUEUE": self.name,
            "AzureFunctionsWebHost__hostid": self.name,
        }
        service = BlobServiceClient.from_connection_string(self.connection)
        self.container = self.stack.enter_context(service).get_container_client(self.name)

    def host(
        self, app: func.FunctionApp, host_json: dict[str, Any] | None = None, **options: Any
    ) -> EmbeddedHost:
        """Starts a host; the options are those of its constructor."""
        host = EmbeddedHost(app, self.settings, host_json or {}, **options)
        return self.stack.enter_context(host)

    def upload(self, name: str, data: bytes = b"x") -> str:
        """Uploads a blob; returns its ETag without quotes, as in messages."""
        result = self.container.upload_blob(name, data, overwrite=True)
        return str(result.get_blob_properties().etag).strip('"')

    def queue(self, name: str) -> QueueClient:
        """A client of a queue, which need not exist."""
        queue = QueueClient.from_connection_string(self.connection, name)
        self.stack.enter_context(queue)
        return queue

    def put(self, text: str) -> None:
        """Puts a message on the queue of the test."""
        self.queue(self.name).send_message(b64encode(text.encode()).decode())


@dataclass
class Recorder:
    """Records what the functions of a test receive."""

    items: list[Any] = field(default_factory=list)

    def __call__(self, item: Any) -> None:
        self.items.append(item)


def blob_app(
    use: Callable[[Any], None],
    name: str = "caption_image",
    source: func.BlobSource = func.BlobSource.LOGS_AND_CONTAINER_SCAN,
    path: str = "%IMAGES_CONTAINER%/{name}",
) -> func.FunctionApp:
    """An app with one blob-triggered function, which calls `use` with its client."""
    app = func.FunctionApp()

    @app.function_name(name)
    @app.blob_trigger(arg_name="client", path=path, connection="ImageStorage", source=source)
    def triggered(client: blob.BlobClient) -> None:
        use(client)

    return app


def queue_app(use: Callable[[func.QueueMessage], None], queue: str = "%QUEUE%") -> Any:
    """An app with one queue-triggered function, which calls `use` with its message."""
    app = func.FunctionApp()

    @app.function_name("deferred")
    @app.queue_trigger(arg_name="message", queue_name=queue, connection="ImageStorage")
    def triggered(message: func.QueueMessage) -> None:
        use(message)

    return app


def taken(queue: QueueClient) -> list[Any]:
    """Takes all messages off a queue; their decoded bodies. Empty if there is no queue."""
    try:
        messages = list(queue.receive_messages(max_messages=32))
    except ResourceNotFoundError:
        return []
    for message in messages:
        queue.delete_message(message)
    return [b64decode(message.content).decode() for message in messages]
