"""VisionClient: Azure AI Vision (Image Analysis 4.0 and 3.2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from captioning.domain.record import ImageAnalysis
from captioning.domain.usage import Bill
from captioning.errors import BadResponse, ServiceTimeout, ServiceUnavailable
from captioning.images.rendition import InputLimits, Rendition
from captioning.resilience.calls import PLAIN, Calls
from captioning.telemetry import span
from captioning.transport import NEW_SESSION, SessionFactory
from captioning.vision.answers import (
    RESULT_40,
    ReadResult,
    merged,
    parse,
    read_result,
    read_v32,
    read_v40,
    with_any,
)
from captioning.vision.features import API_VERSION_40, plan_features
from captioning.vision.transport import Credential, Endpoint, VisionHttp, document

READ_POLL_SECONDS = 1.0
READ_SECONDS = 30.0
READ = "read operation"
"""The part of an analysis that holds the address of its 3.2 Read operation."""


class VisionClient:
    """Analyses images; safe to share between threads, each of which has its own session.

    `token` returns a Microsoft Entra token (scope https://cognitiveservices.azure.com/.default)
    and raises our own errors if it cannot. `read` is asynchronous with API 3.2: the image is
    submitted, and the result polled every second for half a minute (`clock` and `sleep` are in
    seconds).
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
        session: SessionFactory = NEW_SESSION,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._endpoint = Endpoint(endpoint)
        self._plan = plan_features(api, features)
        self._min_confidence = min_confidence
        self._clock = clock
        self._sleep = sleep
        self._http = VisionHttp(
            self._endpoint,
            Credential(key, token),
            self._plan.limits,
            timeouts=timeouts,
            pool_size=pool_size,
            session=session,
        )

    @property
    def identity(self) -> str:
        """For example `azure 4.0 2024-02-01 tags,objects,read 0.6`."""
        return f"{self._plan.name} {self._min_confidence:g}"

    @property
    def limits(self) -> InputLimits:
        """The images that every call for these features takes."""
        return self._plan.limits

    def analyze(self, image: Rendition, calls: Calls = PLAIN) -> ImageAnalysis:
        """What the service sees. Makes one call for each API version that the features need; each
        is billed and remembered as soon as it is answered."""
        with span("vision", server=self._endpoint.address):
            return self._analysis(image, calls)

    def close(self) -> None:
        """Closes every thread's connections."""
        self._http.close()

    def _analysis(self, image: Rendition, calls: Calls) -> ImageAnalysis:
        plan = self._plan
        operation = self._submitted_read(image, calls) if plan.read32 else None
        parts = []
        if plan.v40:
            query = {"api-version": API_VERSION_40, "features": ",".join(plan.v40)}
            path = "/computervision/imageanalysis:analyze"
            asked = [RESULT_40[feature] for feature in plan.v40]
            found = self._part(path, image, query, Bill(plan.v40), calls, asked)
            parts.append(read_v40(found, image, self._min_confidence))
        if plan.v32:
            query = {"visualFeatures": ",".join(plan.v32)}
            asked = [feature.lower() for feature in plan.v32]
            path = "/vision/v3.2/analyze"
            found = self._part(path, image, query, Bill(plan.billed32), calls, asked)
            parts.append(read_v32(found, image, self._min_confidence))
        if operation:
            parts.append(read_result(self._finished_read(operation, image, calls), image))
        return merged(parts, image)

    def _part(
        self,
        path: str,
        image: Rendition,
        query: dict[str, str],
        bill: Bill,
        calls: Calls,
        asked: Sequence[str],
    ) -> Any:
        """The answer's JSON. An answer that cannot be read, or that has none of the results that
        were asked for, counts as a failed call."""
        known = calls.memory.known(path)
        if known is not None:
            return known
        found = calls.ask(lambda: with_any(asked, document(self._http.post(path, image, query))))
        calls.billed(bill)
        self._remember(path, found, calls)
        return found

    def _submitted_read(self, image: Rendition, calls: Calls) -> str:
        """The address of the operation, which is charged once it is accepted."""
        known = calls.memory.known(READ)
        if known is not None:
            return str(known)
        answer = calls.ask(lambda: self._http.post("/vision/v3.2/read/analyze", image, {}))
        calls.billed(Bill(("read",)))
        operation = self._endpoint.own(answer.headers.get("Operation-Location", ""))
        if operation is None:
            raise BadResponse(
                "Azure AI Vision names no address of its own for the text that it reads: check that"
                " VISION_ENDPOINT is the resource's own address."
            )
        self._remember(READ, operation, calls)
        return operation

    def _finished_read(self, operation: str, image: Rendition, calls: Calls) -> ReadResult:
        end = self._clock() + READ_SECONDS
        while self._clock() < end:
            self._sleep(READ_POLL_SECONDS)
            found = calls.ask(lambda: document(self._http.get(operation, image)))
            result = parse(ReadResult, found)
            if result.status == "succeeded":
                return result
            if result.status == "failed":
                self._remember(READ, None, calls)
                raise ServiceUnavailable("Azure AI Vision failed to read the image's text.")
        raise ServiceTimeout("Azure AI Vision did not finish reading the image's text in time.")

    def _remember(self, part: str, answer: Any, calls: Calls) -> None:
        """Saves a part. A single answer is the whole analysis, which is saved as such."""
        if self._plan.is_split:
            calls.memory.remember(part, answer)
