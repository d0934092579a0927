"""Answers HTTP requests as the real host was recorded (`tests/embedded/host/test_contract.py`).

It has no authorization levels and keys (`func start` does not enforce them either), no `/admin/*`
and no status pages (nothing here uses them), and no limit of 230 seconds (the load balancer's, not
the host's). It writes no access log, so that a request's `code` and `x-functions-key` are not
logged.

It is stricter in two points, because any web page can send requests to it and no key is needed. It
answers 403 to a Host that does not name this machine, which stops DNS rebinding, and to a request
other than GET and HEAD that comes from a page of another origin.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import azure.functions as func

from captioning.embedded.host.functions import Function
from captioning.embedded.host.http_server import RawRequest, Reply
from captioning.embedded.host.invocation import Invoker
from captioning.embedded.host.routing import BadTarget, Router, Target, parse_target

logger = logging.getLogger("captioning.embedded.host")

WEBHOOK_PATH = "/runtime/webhooks/blobs"
START_PAGE = b"<!DOCTYPE html><title>Embedded Functions host</title><p>The app is up and running."
LOCAL = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?", re.IGNORECASE)
"""A Host header that names this machine, on any port: a container's port may be mapped."""
COMPUTED = frozenset({"content-length", "transfer-encoding", "connection", "date"})

Webhook = Callable[[RawRequest, Mapping[str, str]], Reply]


class WebHost:
    """Serves functions by their routes, the start page, and the blob webhook. `hosts` are values of
    the Host header that are answered beside the local ones."""

    def __init__(
        self,
        router: Router,
        invoker: Invoker,
        webhook: Webhook,
        *,
        start_page: bool,
        hosts: Collection[str] = (),
    ) -> None:
        self._hosts = hosts
        self._router = router
        self._invoker = invoker
        self._webhook = webhook
        self._start_page = start_page

    def respond(self, request: RawRequest) -> Reply:
        """The response to a request; 500 if the function raises."""
        if refusal := self._refusal(request):
            return Reply(403, (("Content-Type", "text/plain; charset=utf-8"),), refusal.encode())
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

    def _refusal(self, request: RawRequest) -> str:
        """Why the request is not answered; empty if it is."""
        host = request.headers.get("host", "")
        if not LOCAL.fullmatch(host) and host not in self._hosts:
            return "This local app answers at 127.0.0.1, localhost and [::1] only."
        origin = request.headers.get("origin")
        if origin is None or request.method in {"GET", "HEAD"}:
            return ""
        if origin.lower() in {f"http://{host}".lower(), f"https://{host}".lower()}:
            return ""
        return "This local app takes changes from its own pages and from programs only."

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
