"""What a client is told when a request cannot be answered: a code, and no text of an exception."""

from __future__ import annotations

import logging
from collections.abc import Callable

from captioning.api.messages import Request, Response, problem
from captioning.errors import BadRequest, ServiceDeferred, SettingsError

log = logging.getLogger("captioning")


def respond(handle: Callable[[Request], Response], request: Request) -> Response:
    """The answer, or the problem."""
    try:
        return handle(request)
    except BadRequest as error:
        return problem(400, error.reason, error.message)
    except SettingsError as error:
        names = ", ".join(sorted(error.problems))
        return problem(503, error.code, f"Settings keep the app from working: {names}.")
    except ServiceDeferred as error:
        return problem(503, error.code, error.message)
    except Exception:
        log.exception("unexpected error in an HTTP function")
        return problem(500, "internal", "Something went wrong; the app's log says what.")
