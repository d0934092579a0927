"""The function app: triggers only. Each parses, calls the app and answers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import azure.functions as func
import azurefunctions.extensions.bindings.blob as blob

from captioning import settings
from captioning.api import unhealthy
from captioning.errors import BadRequest, ServiceDeferred, SettingsError
from captioning.http_message import Request, Response, problem

if TYPE_CHECKING:
    from captioning.services import Services

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
log = logging.getLogger("captioning")
_building = threading.Lock()
_services: Services | None = None


def services() -> Services:
    """The app's services, built at the first call; SettingsError when settings are bad."""
    global _services
    with _building:
        if _services is None:
            from captioning.services import build_services

            _services = build_services(settings.load())
        return _services


@app.function_name("caption_image")
@app.blob_trigger(
    arg_name="image",
    path="%IMAGES_CONTAINER%/{name}",
    connection="ImageStorage",
    source=func.BlobSource(settings.blob_trigger_source()),
)
def caption_image(image: blob.BlobClient) -> None:
    """Captions a new or overwritten blob. The client names it; nothing is downloaded before its
    size is known, and the app reads through its own pool of connections."""
    services().pipeline.process(image.blob_name)


@app.function_name("get_caption")
@app.route("api/captions/{*path:minlength(1)}", methods=["GET"])
def get_caption(req: func.HttpRequest) -> func.HttpResponse:
    """The record of a blob."""
    return _answer(req, lambda request: services().api.get_caption(request))


@app.function_name("list_captions")
@app.route("api/captions", methods=["GET"])
def list_captions(req: func.HttpRequest) -> func.HttpResponse:
    """Records, newest first."""
    return _answer(req, lambda request: services().api.list_captions(request))


@app.function_name("health")
@app.route("api/health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def health(req: func.HttpRequest) -> func.HttpResponse:
    """Whether the app can work, and which part keeps it from that."""
    return _answer(req, lambda _: _health())


def _health() -> Response:
    try:
        return services().api.health()
    except SettingsError as error:
        return unhealthy("settings", sorted(error.problems))
    except ServiceDeferred:
        return unhealthy("storage")


def _answer(req: func.HttpRequest, handle: Callable[[Request], Response]) -> func.HttpResponse:
    headers = {name.lower(): value for name, value in req.headers.items()}
    request = Request(req.url, req.route_params.get("path", ""), headers)
    try:
        response = handle(request)
    except BadRequest as error:
        response = problem(400, error.reason, error.message)
    except SettingsError as error:
        names = ", ".join(sorted(error.problems))
        response = problem(503, error.code, f"Settings keep the app from working: {names}.")
    except ServiceDeferred as error:
        response = problem(503, error.code, error.message)
    except Exception:
        log.exception("unexpected error in an HTTP function")
        response = problem(500, "internal", "Something went wrong; the app's log says what.")
    return func.HttpResponse(
        response.body,
        status_code=response.status,
        headers=dict(response.headers),
        mimetype=response.headers.get("Content-Type"),
    )
