"""What a person is told when the storage account does not do what it should."""

from __future__ import annotations

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)


def explain(error: AzureError) -> str:
    """What is wrong and what to do, without the service's own text: it may quote a key."""
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        return (
            "the storage that ImageStorage names cannot be reached: start it with `make run`, or "
            "mend the setting"
        )
    status = error.status_code if isinstance(error, HttpResponseError) else None
    if isinstance(error, ClientAuthenticationError) or status in {401, 403}:
        return "storage refuses the key or identity that ImageStorage gives"
    return f"storage answered {status or 'nothing it should'} ({type(error).__name__})"
