"""What the status of a refused request says, where all services mean the same by it."""

from __future__ import annotations

from collections.abc import Mapping

from captioning.errors import (
    AuthRefused,
    ModelGone,
    ServiceDeferred,
    ServiceThrottled,
    ServiceTimeout,
    ServiceUnavailable,
)

Kind = type[ServiceDeferred]
_KINDS: Mapping[int, Kind] = {
    401: AuthRefused,
    403: AuthRefused,
    404: ModelGone,
    408: ServiceTimeout,
    410: ModelGone,
    429: ServiceThrottled,
}


def kind_of(status: int, own: Mapping[int, Kind]) -> Kind | None:
    """The kind of error for a status that is the deployment's fault or the moment's; None if the
    request itself is refused. `own` are further statuses of the service."""
    if 300 <= status < 400:
        return ModelGone  # a redirect is not followed: the address is not the service's own
    return own.get(status) or _KINDS.get(status) or (ServiceUnavailable if status >= 500 else None)
