"""The webhook's receiver, over HTTP."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping

import requests
from urllib3.exceptions import HTTPError

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

logging.getLogger("urllib3.connection").setLevel(logging.ERROR)  # its warnings quote the address
CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 15.0
GONE, TOO_MANY = 410, 429
REFUSALS = frozenset({401, 403, 404, 405})
"""Statuses that an operator, here or there, has to do something about."""


class WebhookClient:
    """Posts to one address; safe to share between threads. The address is in no error: it may hold
    a token."""

    def __init__(
        self,
        url: str,
        *,
        timeouts: tuple[float, float] = (CONNECT_SECONDS, ANSWER_SECONDS),
        session: Callable[[], requests.Session] = requests.Session,
    ) -> None:
        self._url = url
        self._timeouts = timeouts
        self._session = session

    def post(self, body: bytes, headers: dict[str, str]) -> None:
        """Sends the body; any 2xx will do. ServiceDeferred where it may be accepted later,
        BadResponse where the receiver wants no more of them."""
        with self._session() as session:
            session.trust_env = False  # its netrc would sign in
            try:
                with session.post(
                    self._url,
                    data=io.BytesIO(body),  # a file goes out in pieces, each in the timeout
                    headers=headers,
                    timeout=self._timeouts,
                    allow_redirects=False,
                    stream=True,  # whatever else it says is not read
                ) as answer:
                    status, answered = answer.status_code, answer.headers
            except (OSError, HTTPError, ValueError) as error:
                raise _unanswered(error) from None  # their text holds the address
        if not 200 <= status < 300:
            raise _refusal(status, answered)


def _refusal(status: int, headers: Mapping[str, str]) -> CaptioningError:
    if status == GONE:
        return BadResponse("The webhook's receiver says that it is gone for good (410).")
    if status in REFUSALS or 300 <= status < 400:
        return EndpointRefused(
            f"The webhook's receiver answers {status}: check NOTIFY_URL, which must be the address"
            " itself and no redirect, and that the receiver has the key of NOTIFY_KEY."
        )
    said = f"The webhook's receiver answers {status}."
    wish = retry_after(headers)
    return ServiceThrottled(said, wish) if status == TOO_MANY else ServiceUnavailable(said, wish)


def _unanswered(error: Exception) -> ServiceDeferred:
    if isinstance(error, requests.Timeout):
        return ServiceTimeout("The webhook's receiver did not answer in time.")
    return ServiceUnavailable("The webhook's receiver could not be reached, or broke off.")
