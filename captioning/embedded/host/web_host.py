"""Answers HTTP requests as the real host was recorded (`tests/embedded/host/test_contract.py`).

It has no authorization levels and keys (`func start` does not enforce them either), no `/admin/*`
and no status pages (nothing here uses them), and no limit of 230 seconds (the load balancer's, not
the host's). It writes no access log, so that a request's `code` and `x-functions-key` are not
logged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import azure.functions as func

from captioning.embedded.host.functions import Function
from captioning.embedded.host.http_server import RawRequest, Reply
from captioning.embedded.host.invocation import Invoker
from captioning.embedded.host.routing import BadTarget, Router, Target, parse_target

logger = logging.getLogger("captioning.embedded.host")

WEBHOOK_PATH = "/runtime/webhooks/blobs"
START_PAGE = b"<!DOCTYPE html><title>Embedded Functions host</title><p>The app is up and running."
COMPUTED = frozenset({"content-length", "transfer-encoding", "connection", "date"})

Webhook = Callable[[RawRequest, Mapping[str, str]], Reply]


class WebHost:
    """Serves functions by their routes, the start page, and the blob webhook."""

    def __init__(
        self, router: Router, invoker: Invoker, webhook: Webhook, *, start_page: bool
    ) -> None:
        self._router = router
        self._invoker = invoker
        self._webhook = webhook
        self._start_page = start_page

    def respond(self, request: RawRequest) -> Reply:
        """The response to a request; 500 if the function raises."""
        try:
            target = parse_target(request.target)
        except BadTarget:
            return Reply(400)
        if target.path.lower() == WEBHOOK_PATH:
            return self._webhook(request, target.params)
        found = self._router.find(request.method, target.path)
        if found:
            return self._invoke(*found, request, target)
        if target.path != "/":
            return Reply(404)
        html = (("Content-Type", "text/html"),)
        return Reply(200, html, START_PAGE) if self._start_page else Reply(204)

    def _invoke(
        self, function: Function, values: dict[str, str], request: RawRequest, target: Target
    ) -> Reply:
        argument = func.HttpRequest(
            method=request.method,
            url=f"http://{request.headers.get('host', '127.0.0.1')}{target.url}",
            headers=request.headers,
            params=target.params,
            route_params=values,
            body=request.body,
        )
        try:
            return _reply(self._invoker.run(function, argument))
        except Exception:
            logger.exception("%s raised an exception", function.name)
            return Reply(500)


def _reply(returned: Any) -> Reply:
    """The response for what a function returned: an HttpResponse, a string, or None. TypeError for
    anything else."""
    if returned is None:
        return Reply(204)
    if isinstance(returned, str):
        returned = func.HttpResponse(returned)
    if not isinstance(returned, func.HttpResponse):
        raise TypeError(f"an HTTP function returned {type(returned).__name__}")
    headers = [
        (name, value) for name, value in returned.headers.items() if name.lower() not in COMPUTED
    ]
    if "content-type" not in returned.headers:
        is_text = returned.mimetype.startswith("text/")
        charset = f"; charset={returned.charset}" if is_text else ""
        headers.append(("Content-Type", returned.mimetype + charset))
    return Reply(returned.status_code, tuple(headers), returned.get_body())
