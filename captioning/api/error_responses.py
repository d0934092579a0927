"""From exceptions to HTTP problems: a client gets a code, and no text of unexpected exceptions."""

from __future__ import annotations

import logging
from collections.abc import Callable

from captioning.api.messages import Request, Response, problem
from captioning.errors import (
    BadRequest,
    BlobInUse,
    BlobRefused,
    RecordUnreadable,
    ServiceDeferred,
    SettingsError,
)

log = logging.getLogger("captioning.api")


def respond(handle: Callable[[Request], Response], request: Request) -> Response:
    """The response of `handle`, or a problem for the exception that it raised."""
    try:
        return handle(request)
    except BadRequest as error:
        return problem(400, error.reason, error.message)
    except RecordUnreadable as error:
        return problem(409, error.code, error.message)
    except SettingsError as error:
        names = ", ".join(sorted(error.problems))
        return problem(503, error.code, f"The app cannot work with these settings: {names}.")
    except (BlobRefused, BlobInUse) as error:  # trying again does not help
        return problem(409, error.code, error.message)
    except ServiceDeferred as error:
        return problem(503, error.code, error.message)
    except Exception:
        log.exception("unexpected error in an HTTP function")
        return problem(500, "internal", "An unexpected error; see the app's log.")
