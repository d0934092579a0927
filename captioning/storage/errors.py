"""When the storage account does not do what it should: our own error, and what a person is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import ParamSpec, TypeVar

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DeserializationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from captioning.errors import StorageUnavailable

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")
UNREACHABLE = (
    "the storage that ImageStorage names cannot be reached: start it with `make run`, or fix the"
    " setting"
)
REFUSED_KEY = "storage refuses the key or identity that ImageStorage gives"
OURS = frozenset({400, 413, 414, 415})
"""Statuses that say that the request itself is wrong: a bug, which waiting does not fix."""


def own_code(headers: Mapping[str, str]) -> str | None:
    """The error code of an answer by its headers; None where they are not the service's own, which
    sets both of these on every error. The 404 of a proxy or of a wrong address has neither."""
    return headers.get("x-ms-error-code") if headers.get("x-ms-request-id") else None


class RequestRefused(Exception):
    """The Table service refuses the request itself: a bug, which waiting does not fix."""


def storage_answers(operation: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """The operation; StorageUnavailable where storage does not do it and may do so later."""

    @wraps(operation)
    def asked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        try:
            return operation(*args, **kwargs)
        except AzureError as error:
            if isinstance(error, HttpResponseError) and error.status_code in OURS:
                raise
            raise StorageUnavailable(explain(error)) from error
        except DeserializationError as error:  # a 200 of a proxy, say; no AzureError
            raise StorageUnavailable("storage answered nothing it should") from error

    return asked


def explain(error: AzureError) -> str:
    """What is wrong and what to do, without the service's own text: it may quote a key."""
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        return UNREACHABLE
    status = error.status_code if isinstance(error, HttpResponseError) else None
    if isinstance(error, ClientAuthenticationError) or status in {401, 403}:
        return REFUSED_KEY
    return f"storage answered {status or 'nothing it should'} ({type(error).__name__})"
