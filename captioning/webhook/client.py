"""Posts to the webhook's receiver over HTTP."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from captioning.errors import (
    BadResponse,
    CaptioningError,
    EndpointRefused,
    ServiceDeferred,
    ServiceThrottled,
    ServiceTimeout,
    ServiceUnavailable,
)
from captioning.resilience.retry_after import retry_after
from captioning.transport import NEW_SESSION, SessionFactory, Unanswered, open_session, send

logging.getLogger("urllib3.connection").setLevel(logging.ERROR)  # its warnings quote the address

CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 15.0
GONE, TOO_MANY = 410, 429
REFUSALS = frozenset({401, 403, 404, 405})
"""Statuses that an operator has to fix, of this app or of the receiver."""


class WebhookClient:
    """Posts to one address; safe to share between threads. No error quotes the address, which may
    hold a token."""

    def __init__(
        self,
        url: str,
        *,
        timeouts: tuple[float, float] = (CONNECT_SECONDS, ANSWER_SECONDS),
        session: SessionFactory = NEW_SESSION,
    ) -> None:
        self._url = url
        self._timeouts = timeouts
        self._session = session

    def post(self, body: bytes, headers: dict[str, str]) -> None:
        """Sends the body; any 2xx accepts it. ServiceDeferred if it may be accepted later,
        BadResponse if the receiver wants no more messages."""
        with open_session(self._session) as session:
            try:
                answer = send(
                    session,
                    "POST",
                    self._url,
                    headers=headers,
                    timeouts=self._timeouts,
                    body=body,
                    reads_body=False,
                )
            except Unanswered as failure:
                raise _deferred(failure) from None  # its cause quotes the address
        if not answer.is_success:
            raise _refusal(answer.status, answer.headers)


def _refusal(status: int, headers: Mapping[str, str]) -> CaptioningError:
    if status == GONE:
        return BadResponse("The webhook's receiver says that it is gone for good (410).")
    if status in REFUSALS or 300 <= status < 400:
        return EndpointRefused(
            f"The webhook's receiver answers {status}: check NOTIFY_URL, which must be the address"
            " itself and no redirect, and that the receiver has the key of NOTIFY_KEY."
        )
    kind = ServiceThrottled if status == TOO_MANY else ServiceUnavailable
    return kind(f"The webhook's receiver answers {status}.", retry_after(headers))


def _deferred(failure: Unanswered) -> ServiceDeferred:
    if failure.reason == "timeout":
        return ServiceTimeout("The webhook's receiver did not answer in time.")
    return ServiceUnavailable(
        "The webhook's receiver could not be reached, or broke off its answer."
    )
