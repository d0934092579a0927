"""The function app: triggers only. Each one parses its input and calls one method of the app."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import azure.functions as func
import azurefunctions.extensions.bindings.blob as blob

from captioning import triggers
from captioning.api.error_responses import respond
from captioning.api.health import healthy
from captioning.api.mcp_tools import DESCRIBE, FIND, tool_response
from captioning.api.messages import Request, Response
from captioning.api.openapi import document
from captioning.config import settings
from captioning.domain.messages import CaptionMessage, NotificationMessage
from captioning.gallery import files as gallery_files
from captioning.triggers import deleted_blob, given_up, poisoned_path

if TYPE_CHECKING:
    from captioning.app.services import Services

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
_events = func.BlobSource(triggers.blob_trigger_source())
_queues = triggers.queues()
_building = threading.Lock()
_services: Services | None = None


def services() -> Services:
    """The app's services, built at the first call; SettingsError where settings are bad."""
    global _services
    with _building:
        if _services is None:
            from captioning.app.services import build_services

            _services = build_services(settings.load())
        return _services


@app.function_name("caption_image")
@app.blob_trigger("image", "%IMAGES_CONTAINER%/{name}", "ImageStorage", source=_events)
def caption_image(image: blob.BlobClient) -> None:
    """Captions a new or overwritten blob. Only the client's name of it is used."""
    services().pipeline.process(CaptionMessage(image.blob_name, source="event"))


@app.function_name("caption_deferred")
@app.queue_trigger("message", _queues.deferred, "ImageStorage")
def caption_deferred(message: func.QueueMessage) -> None:
    """Captions an image that was deferred, or that was requested again."""
    services().pipeline.process(CaptionMessage.from_json(message.get_body()))


@app.function_name("record_poisoned")
@app.queue_trigger("message", "webjobs-blobtrigger-poison", "ImageStorage")
def record_poisoned(message: func.QueueMessage) -> None:
    """Records that the host gave up on a blob's event. Another app's message is left to it."""
    body = message.get_body()
    path = poisoned_path(body, services().images.name)
    if path is None:
        services().foreign.leave(body, message.expiration_time)
    else:
        services().cleanup.poisoned(path)


@app.function_name("record_poisoned_deferral")
@app.queue_trigger("message", f"{_queues.deferred}-poison", "ImageStorage")
def record_poisoned_deferral(message: func.QueueMessage) -> None:
    """Records that the host gave up on a message of `caption_deferred`."""
    if deferral := given_up(message.get_body()):
        services().cleanup.poisoned(deferral.path, deferral.attempts)


@app.function_name("forget_image")
@app.queue_trigger("message", _queues.deleted, "ImageStorage")
def forget_image(message: func.QueueMessage) -> None:
    """Removes the record of a blob that Event Grid says was deleted."""
    deleted = deleted_blob(message.get_body())
    if deleted and deleted[0] == services().images.name:
        services().cleanup.forget(deleted[1])


@app.function_name("notify")
@app.queue_trigger("message", _queues.notify, "ImageStorage")
def notify(message: func.QueueMessage) -> None:
    """Notifies the webhook's receiver that an image has reached a final status."""
    services().notify(NotificationMessage.from_json(message.get_body()))


@app.function_name("reconcile")
@app.timer_trigger(arg_name="timer", schedule="0 */5 * * * *")
def reconcile(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the host passes it by name
    """Finds images whose events or messages were lost, and logs how much of a budget is spent."""
    services().ledger.log_spent()
    services().reconciler.run()


@app.function_name("back_up")
@app.timer_trigger(arg_name="timer", schedule="0 */10 2-23 * * *")
def back_up(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the host passes it by name
    """Goes on with the night's backup of all records until it is complete."""
    services().backup.run()


@app.function_name("get_caption")
@app.route("api/captions/{*path:minlength(1)}", methods=["GET"])
def get_caption(req: func.HttpRequest) -> func.HttpResponse:
    """The record of a blob."""
    return _answer(req, lambda request: services().api.captions.get_caption(request))


@app.function_name("edit_caption")
@app.route("api/captions/{*path:minlength(1)}", methods=["PATCH"])
def edit_caption(req: func.HttpRequest) -> func.HttpResponse:
    """Corrects a record."""
    return _answer(req, lambda request: services().api.edits.patch_caption(request))


@app.function_name("list_captions")
@app.route("api/captions", methods=["GET"])
def list_captions(req: func.HttpRequest) -> func.HttpResponse:
    """Searches the records, newest first."""
    return _answer(req, lambda request: services().api.captions.list_captions(request))


@app.function_name("list_tags")
@app.route("api/tags", methods=["GET"])
def list_tags(req: func.HttpRequest) -> func.HttpResponse:
    """Tags in use."""
    return _answer(req, lambda request: services().api.captions.list_tags(request))


@app.function_name("get_image")
@app.route("api/images/{*path:minlength(1)}", methods=["GET"])
def get_image(req: func.HttpRequest) -> func.HttpResponse:
    """An image or its thumbnail."""
    return _answer(req, lambda request: services().api.image_view.get(request))


@app.function_name("put_image")
@app.route("api/images/{*path:minlength(1)}", methods=["PUT"])
def put_image(req: func.HttpRequest) -> func.HttpResponse:
    """Stores an image; its blob event has it captioned."""
    return _answer(req, lambda request: services().api.image_changes.put(request))


@app.function_name("delete_image")
@app.route("api/images/{*path:minlength(1)}", methods=["DELETE"])
def delete_image(req: func.HttpRequest) -> func.HttpResponse:
    """Deletes an image and everything that is stored about it."""
    return _answer(req, lambda request: services().api.image_changes.delete(request))


@app.function_name("find_images")
@app.mcp_tool_trigger("context", FIND.name, FIND.description, FIND.properties)
def find_images(context: str) -> str:
    """A tool for assistants: finds images."""
    return tool_response(lambda arguments: services().api.tools.find_images(arguments), context)


@app.function_name("describe_image")
@app.mcp_tool_trigger("context", DESCRIBE.name, DESCRIBE.description, DESCRIBE.properties)
def describe_image(context: str) -> str:
    """A tool for assistants: returns the record of one image."""
    return tool_response(lambda arguments: services().api.tools.describe_image(arguments), context)


@app.function_name("recaption")
@app.route("api/recaption/{*path:minlength(1)}", methods=["POST"])
def recaption(req: func.HttpRequest) -> func.HttpResponse:
    """Captions an image again."""
    return _answer(req, lambda request: services().api.recaption.post(request))


@app.function_name("revert")
@app.route("api/revert/{*path:minlength(1)}", methods=["POST"])
def revert(req: func.HttpRequest) -> func.HttpResponse:
    """Restores the texts that a record had before."""
    return _answer(req, lambda request: services().api.edits.post_revert(request))


@app.function_name("get_usage")
@app.route("api/usage", methods=["GET"])
def get_usage(req: func.HttpRequest) -> func.HttpResponse:
    """Images and costs by day."""
    return _answer(req, lambda request: services().api.usage.get_usage(request))


@app.function_name("get_openapi")
@app.route("api/openapi.json", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def get_openapi(req: func.HttpRequest) -> func.HttpResponse:
    """The API's description; it holds no data."""
    return _answer(req, document.get_openapi)


@app.function_name("gallery")
@app.route("{ignored:maxlength(0)?}", methods=["GET", "HEAD"], auth_level=func.AuthLevel.ANONYMOUS)
def gallery(req: func.HttpRequest) -> func.HttpResponse:
    """The page at `/`. It calls the API, with a key where one is required."""
    return _answer(req, gallery_files.get_page)


@app.function_name("gallery_file")
@app.route("web/{path}", methods=["GET", "HEAD"], auth_level=func.AuthLevel.ANONYMOUS)
def gallery_file(req: func.HttpRequest) -> func.HttpResponse:
    """The files that the page loads."""
    return _answer(req, gallery_files.get_file)


@app.function_name("health")
@app.route("api/health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def health(req: func.HttpRequest) -> func.HttpResponse:
    """Whether the app works, and which part does not."""
    return _answer(req, lambda _: healthy(lambda: services().api.health.get_health()))


def _answer(req: func.HttpRequest, handle: Callable[[Request], Response]) -> func.HttpResponse:
    headers = {name.lower(): value for name, value in req.headers.items()}
    request = Request(req.url, req.route_params.get("path", ""), headers, req.get_body())
    response = respond(handle, request)
    return func.HttpResponse(
        response.body,
        status_code=response.status,
        headers=dict(response.headers),
        mimetype=response.headers.get("Content-Type"),
    )
