"""VisionClient: Azure AI Vision (Image Analysis 4.0 and 3.2) over `requests`."""

from __future__ import annotations

import io
import json
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ReadTimeoutError

from captioning.errors import (
    AuthRefused,
    BadResponse,
    ModelGone,
    ServiceDeferred,
    ServiceTimeout,
    ServiceUnavailable,
)
from captioning.models import ImageAnalysis
from captioning.rendition import InputLimits, Rendition
from captioning.vision_answer import merged, read_result, read_v32, read_v40
from captioning.vision_endpoint import Credential, Endpoint
from captioning.vision_features import API_VERSION_40, plan_features
from captioning.vision_refusal import Refusal
from captioning.vision_shapes import ReadResult, parse

READ_POLL_SECONDS = 1.0
READ_POLLS = 30

_BAD_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.URLRequired,
)


class VisionClient:
    """Analyses images; safe to share between threads, each of which has its own session.

    `token` returns a Microsoft Entra token (scope https://cognitiveservices.azure.com/.default)
    and raises our own errors where it cannot. `read` with API 3.2 is asynchronous there: the
    image is submitted, and the result asked for every second, for at most half a minute.
    """

    def __init__(
        self,
        *,
        endpoint: str,
        key: str | None = None,
        token: Callable[[], str] | None = None,
        api: str = "4.0",
        features: tuple[str, ...] = ("tags", "objects", "read"),
        min_confidence: float = 0.6,
        timeouts: tuple[float, float] = (5.0, 30.0),
        pool_size: int = 1,
        session: Callable[[], requests.Session] = requests.Session,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._endpoint = Endpoint(endpoint)
        self._credential = Credential(key, token)
        self._plan = plan_features(api, features)
        self._min_confidence = min_confidence
        self._timeouts = timeouts
        self._pool_size = pool_size
        self._new_session = session
        self._sleep = sleep
        self._own = threading.local()
        self._sessions: weakref.WeakSet[requests.Session] = weakref.WeakSet()
        self._lock = threading.Lock()

    @property
    def identity(self) -> str:
        """For example `azure 4.0 2024-02-01 tags,objects,read 0.6`."""
        return f"{self._plan.name} {self._min_confidence:g}"

    @property
    def limits(self) -> InputLimits:
        """Images that every call of these features takes."""
        return self._plan.limits

    def analyze(self, image: Rendition) -> ImageAnalysis:
        """What the service sees. One call for 4.0, one for 3.2, as the features need."""
        operation = self._submit_read(image) if self._plan.read32 else None
        parts = []
        if self._plan.v40:
            query = {"api-version": API_VERSION_40, "features": ",".join(self._plan.v40)}
            found = self._post("/computervision/imageanalysis:analyze", image, query)
            parts.append(read_v40(_document(found), image, self._min_confidence))
        if self._plan.v32:
            query = {"visualFeatures": ",".join(self._plan.v32)}
            found = self._post("/vision/v3.2/analyze", image, query)
            parts.append(read_v32(_document(found), image, self._min_confidence))
        if operation:
            parts.append(read_result(self._finished_read(operation, image), image))
        return replace(merged(parts, image), calls=self._plan.transactions)

    def close(self) -> None:
        """Closes every thread's connections."""
        with self._lock:
            for session in self._sessions:
                session.close()

    def _submit_read(self, image: Rendition) -> str:
        """The address of the operation."""
        answer = self._post("/vision/v3.2/read/analyze", image, {})
        operation = self._endpoint.own(answer.headers.get("Operation-Location", ""))
        if operation is None:
            raise BadResponse(
                "Azure AI Vision names no address, or another server's, for the text it reads:"
                " check that VISION_ENDPOINT is the resource's own address."
            )
        return operation

    def _finished_read(self, operation: str, image: Rendition) -> ReadResult:
        for _ in range(READ_POLLS):
            self._sleep(READ_POLL_SECONDS)
            result = parse(ReadResult, _document(self._exchange("GET", operation, image)))
            if result.status == "succeeded":
                return result
            if result.status == "failed":
                raise ServiceUnavailable("Azure AI Vision failed to read the image's text.")
        raise ServiceTimeout("Azure AI Vision did not finish reading the image's text in time.")

    def _post(self, path: str, image: Rendition, query: dict[str, str]) -> requests.Response:
        url = self._endpoint.address + path
        # a file goes out in pieces, each in the connect timeout; of bytes, all have to
        return self._exchange("POST", url, image, params=query, data=io.BytesIO(image.data))

    def _exchange(
        self, method: str, url: str, image: Rendition, **content: Any
    ) -> requests.Response:
        """One request and its successful answer, or one of our errors. Retries go around this."""
        headers = self._credential.headers()
        if "data" in content:
            headers["Content-Type"] = "application/octet-stream"
        try:
            answer = self._session().request(
                method,
                url,
                headers=headers,
                timeout=self._timeouts,
                allow_redirects=False,
                **content,
            )
        except (OSError, HTTPError, ValueError) as error:
            raise _unanswered(error) from error
        if not 200 <= answer.status_code < 300:
            refusal = Refusal.of(answer.status_code, answer.headers, answer.content)
            raise refusal.error(image, self.limits)
        return answer

    def _session(self) -> requests.Session:
        """This thread's session. The environment's proxies and netrc do not get at it."""
        session: requests.Session | None = getattr(self._own, "session", None)
        if session is None:
            session = self._new_session()
            session.trust_env = False
            pool = HTTPAdapter(pool_connections=1, pool_maxsize=self._pool_size, max_retries=0)
            for scheme in ("https://", "http://"):
                session.mount(scheme, pool)
            self._own.session = session
            with self._lock:
                self._sessions.add(session)
        return session


def _document(answer: requests.Response) -> Any:
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        raise ServiceUnavailable("Azure AI Vision's answer broke off or is unreadable.") from None


def _unanswered(error: Exception) -> ServiceDeferred:
    """A request that got no answer, by what `requests` says of it."""
    slow = isinstance(error, requests.Timeout)
    if slow or any(isinstance(cause, ReadTimeoutError) for cause in error.args):
        return ServiceTimeout("Azure AI Vision did not answer in time.")
    if isinstance(error, _BAD_ADDRESS):
        return ModelGone("VISION_ENDPOINT is not an address that can be asked.")
    if isinstance(error, requests.exceptions.InvalidHeader):
        return AuthRefused("VISION_KEY or the token cannot be sent as it is.")
    return ServiceUnavailable(
        "Azure AI Vision could not be reached, or broke off its answer: check VISION_ENDPOINT and"
        " the network where this lasts."
    )
