"""The function app: triggers only. Each parses, calls the app and answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import azure.functions as func
import azurefunctions.extensions.bindings.blob as blob

from captioning import triggers
from captioning.api.error_responses import respond
from captioning.api.health import healthy
from captioning.api.mcp_tools import DESCRIBE, FIND, told
from captioning.api.messages import Request, Response
from captioning.api.openapi import document
from captioning.config import settings
from captioning.domain.messages import CaptionMessage, NotificationMessage
from captioning.gallery import files as gallery_files
from captioning.triggers import deleted_blob, poison_message

if TYPE_CHECKING:
    from captioning.app.services import Services

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
_events = func.BlobSource(triggers.blob_trigger_source())
_building = threading.Lock()
_services: Services | None = None


def services() -> Services:
    """The app's services, built at the first call; SettingsError when settings are bad."""
    global _services
    with _building:
        if _services is None:
            from captioning.app.services import build_services

            _services = build_services(settings.load())
        return _services


@app.function_name("caption_image")
@app.blob_trigger("image", "%IMAGES_CONTAINER%/{name}", "ImageStorage", source=_events)
def caption_image(image: blob.BlobClient) -> None:
    """Captions a new or overwritten blob. The client only names it."""
    services().pipeline.process(CaptionMessage(image.blob_name))


@app.function_name("caption_deferred")
@app.queue_trigger("message", triggers.deferred_queue(), "ImageStorage")
def caption_deferred(message: func.QueueMessage) -> None:
    """Captions an image whose time has come."""
    services().pipeline.process(CaptionMessage.from_json(message.get_body()))


@app.function_name("record_poisoned")
@app.queue_trigger("message", "webjobs-blobtrigger-poison", "ImageStorage")
def record_poisoned(message: func.QueueMessage) -> None:
    """Records that the host gave up on a blob's event; another app's raises, and stays for it."""
    container, path = poison_message(message.get_body())
    if container != services().images.name:
        raise ValueError(f"a poison message of the container {container}, which is not this app's")
    services().upkeep.poisoned(path)


@app.function_name("record_poisoned_deferral")
@app.queue_trigger("message", f"{triggers.deferred_queue()}-poison", "ImageStorage")
def record_poisoned_deferral(message: func.QueueMessage) -> None:
    """Records that the host gave up on a message of `caption_deferred`."""
    services().upkeep.poisoned(CaptionMessage.from_json(message.get_body()).path)


@app.function_name("forget_image")
@app.queue_trigger("message", triggers.deleted_queue(), "ImageStorage")
def forget_image(message: func.QueueMessage) -> None:
    """Removes the record of a blob that Event Grid says was deleted."""
    deleted = deleted_blob(message.get_body())
    if deleted and deleted[0] == services().images.name:
        services().upkeep.forget(deleted[1])


@app.function_name("notify")
@app.queue_trigger("message", triggers.notify_queue(), "ImageStorage")
def notify(message: func.QueueMessage) -> None:
    """Tells the webhook's receiver that an image came to an end."""
    services().notify(NotificationMessage.from_json(message.get_body()))


@app.function_name("reconcile")
@app.timer_trigger(arg_name="timer", schedule="0 */5 * * * *")
def reconcile(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the host passes it by name
    """Looks for images that nothing else sees to, and says what is spent of a budget."""
    services().log_spent()
    services().reconciler.run()


@app.function_name("get_caption")
@app.route("api/captions/{*path:minlength(1)}", methods=["GET"])
def get_caption(req: func.HttpRequest) -> func.HttpResponse:
    """The record of a blob."""
    return _answer(req, lambda request: services().api.get_caption(request))


@app.function_name("edit_caption")
@app.route("api/captions/{*path:minlength(1)}", methods=["PATCH"])
def edit_caption(req: func.HttpRequest) -> func.HttpResponse:
    """What a person corrects in a record."""
    return _answer(req, lambda request: services().edits.patch_caption(request))


@app.function_name("list_captions")
@app.route("api/captions", methods=["GET"])
def list_captions(req: func.HttpRequest) -> func.HttpResponse:
    """Records that answer a search, newest first."""
    return _answer(req, lambda request: services().api.list_captions(request))


@app.function_name("list_tags")
@app.route("api/tags", methods=["GET"])
def list_tags(req: func.HttpRequest) -> func.HttpResponse:
    """Tags in use."""
    return _answer(req, lambda request: services().api.list_tags(request))


@app.function_name("get_image")
@app.route("api/images/{*path:minlength(1)}", methods=["GET"])
def get_image(req: func.HttpRequest) -> func.HttpResponse:
    """An image or its thumbnail."""
    return _answer(req, lambda request: services().image_view.get(request))


@app.function_name("put_image")
@app.route("api/images/{*path:minlength(1)}", methods=["PUT"])
def put_image(req: func.HttpRequest) -> func.HttpResponse:
    """Stores an image; its blob event brings the caption."""
    return _answer(req, lambda request: services().image_changes.put(request))


@app.function_name("delete_image")
@app.route("api/images/{*path:minlength(1)}", methods=["DELETE"])
def delete_image(req: func.HttpRequest) -> func.HttpResponse:
    """Removes an image and all that is kept of it."""
    return _answer(req, lambda request: services().image_changes.delete(request))


@app.function_name("find_images")
@app.mcp_tool_trigger("context", FIND.name, FIND.description, FIND.properties)
def find_images(context: str) -> str:
    """A tool for assistants: images that answer a search."""
    return told(lambda arguments: services().tools.find_images(arguments), context)


@app.function_name("describe_image")
@app.mcp_tool_trigger("context", DESCRIBE.name, DESCRIBE.description, DESCRIBE.properties)
def describe_image(context: str) -> str:
    """A tool for assistants: the record of one image."""
    return told(lambda arguments: services().tools.describe_image(arguments), context)


@app.function_name("recaption")
@app.route("api/recaption/{*path:minlength(1)}", methods=["POST"])
def recaption(req: func.HttpRequest) -> func.HttpResponse:
    """Captions an image again."""
    return _answer(req, lambda request: services().recaption.post(request))


@app.function_name("revert")
@app.route("api/revert/{*path:minlength(1)}", methods=["POST"])
def revert(req: func.HttpRequest) -> func.HttpResponse:
    """Gives a record the texts back that it had before."""
    return _answer(req, lambda request: services().edits.post_revert(request))


@app.function_name("get_usage")
@app.route("api/usage", methods=["GET"])
def get_usage(req: func.HttpRequest) -> func.HttpResponse:
    """What was paid, by day."""
    return _answer(req, lambda request: services().usage.get_usage(request))


@app.function_name("get_openapi")
@app.route("api/openapi.json", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def get_openapi(req: func.HttpRequest) -> func.HttpResponse:
    """The API's description; it holds no data."""
    return _answer(req, document.get_openapi)


@app.function_name("gallery")
@app.route("{ignored:maxlength(0)?}", methods=["GET", "HEAD"], auth_level=func.AuthLevel.ANONYMOUS)
def gallery(req: func.HttpRequest) -> func.HttpResponse:
    """The page at `/`; it asks the API, with a key where that wants one."""
    return _answer(req, gallery_files.get_page)


@app.function_name("gallery_file")
@app.route("web/{path}", methods=["GET", "HEAD"], auth_level=func.AuthLevel.ANONYMOUS)
def gallery_file(req: func.HttpRequest) -> func.HttpResponse:
    """What the page loads."""
    return _answer(req, gallery_files.get_file)


@app.function_name("health")
@app.route("api/health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def health(req: func.HttpRequest) -> func.HttpResponse:
    """Whether the app can work, and which part keeps it from that."""
    return _answer(req, lambda _: healthy(lambda: services().health.get_health()))


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
