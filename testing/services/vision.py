"""A local Azure AI Vision, versions 4.0 and 3.2, that refuses what the service refuses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

from testing.services.server import Received, Reply
from testing.services.vision_bodies import WIRE_32, WIRE_40, analyzed_32, analyzed_40, read_pages
from testing.services.vision_refusals import Refused, gateway, refused_32, refused_40
from testing.services.vision_scene import Frame, Scene, seen

ANALYZE_40 = "/computervision/imageanalysis:analyze"
ANALYZE_32 = "/vision/v3.2/analyze"
READ_32 = "/vision/v3.2/read/analyze"
RESULTS_32 = "/vision/v3.2/read/analyzeResults/"

FORMATS_32 = ("BMP", "GIF", "JPEG", "PNG")
FORMATS_READ = ("BMP", "JPEG", "PNG", "TIFF")
FORMATS_40 = (*FORMATS_32, "ICO", "MPO", "TIFF", "WEBP")
FEATURES_32 = frozenset({*WIRE_32, "Categories", "Color", "Faces", "ImageType"})


class LocalVision:
    """Answers for WireServer. `captions=False` is a region without captions, `latency` the seconds
    before every answer, and `scene` returns what is in a picture."""

    def __init__(
        self,
        *,
        key: str | None = "local-vision-key",
        token: str | None = None,
        applies_exif: bool = True,
        captions: bool = True,
        latency: float = 0.0,
        running_polls: int = 1,
        scene: Callable[[bytes], Scene] = lambda _: Scene(),
    ) -> None:
        self.billed = 0
        self.applies_exif = applies_exif
        self.captions = captions
        self.latency = latency
        self.scene = scene
        self._secrets = {
            ("ocp-apim-subscription-key", key),
            ("authorization", f"Bearer {token}" if token else None),
        }
        self._running_polls = running_polls
        self._operations: dict[str, tuple[int, Reply]] = {}
        self._lock = threading.Lock()

    def __call__(self, received: Received) -> Reply:
        try:
            reply = self._route(received)
        except Refused as refused:
            reply = refused.reply
        return replace(reply, delay=self.latency)

    def _route(self, received: Received) -> Reply:
        if not any(
            secret and received.headers.get(name) == secret for name, secret in self._secrets
        ):
            raise gateway(401, "Access denied due to invalid subscription key or wrong endpoint.")
        if received.method == "GET" and received.path.startswith(RESULTS_32):
            return self._read_result(received.path.removeprefix(RESULTS_32))
        routes = {ANALYZE_40: self._analyze_40, ANALYZE_32: self._analyze_32, READ_32: self._read}
        if received.method != "POST" or received.path not in routes:
            raise gateway(404, "Resource not found")
        return routes[received.path](received)

    def _analyze_40(self, received: Received) -> Reply:
        query = dict(received.query)
        if query.get("api-version") != "2024-02-01":
            raise gateway(404, "Resource not found")
        features = query.get("features", "").split(",")
        if not set(features) <= set(WIRE_40):
            raise refused_40("NotSupportedVisualFeature", "Specified feature type is not valid")
        for name in ("caption", "denseCaptions"):
            if name in features and not self.captions:
                message = f"The feature '{name.title()}' is not supported in this region"
                raise refused_40("InvalidRequest", message)
        _is_octets(received, refused_40("InvalidRequest", "Content type is not supported"))
        if not 0 < len(received.body) <= 20_971_520:
            message = "The image size is not allowed to be zero or larger than 20971520 bytes"
            raise refused_40("InvalidImageSize", message)
        frame = self._frame(received.body, FORMATS_40, refused_40)
        self._bill(len(set(features)))
        return Reply(body=analyzed_40(self.scene(received.body), frame, features))

    def _analyze_32(self, received: Received) -> Reply:
        features = dict(received.query).get("visualFeatures", "Categories").split(",")
        if not set(features) <= FEATURES_32:
            raise refused_32("NotSupportedVisualFeature", "Specified feature type is not valid")
        frame = self._frame_32(received, FORMATS_32, 16_000)
        self._bill(len(set(features)))
        return Reply(body=analyzed_32(self.scene(received.body), frame, features))

    def _read(self, received: Received) -> Reply:
        frame = self._frame_32(received, FORMATS_READ, 10_000)
        self._bill(1)
        operation = str(uuid4())
        result = Reply(body=read_pages(self.scene(received.body), frame))
        with self._lock:
            self._operations[operation] = (self._running_polls, result)
        address = f"http://{received.headers['host']}{RESULTS_32}{operation}"
        return Reply(202, headers={"Operation-Location": address})

    def _read_result(self, operation: str) -> Reply:
        with self._lock:
            if operation not in self._operations:
                raise gateway(404, "Operation not found")
            polls, result = self._operations[operation]
            self._operations[operation] = (polls - 1, result)
        return Reply(body={"status": "running"}) if polls > 0 else result

    def _frame_32(self, received: Received, formats: tuple[str, ...], max_side: int) -> Frame:
        _is_octets(received, refused_32("UnsupportedMediaType", "Unsupported media type", 415))
        if not 0 < len(received.body) < 4 * 1024 * 1024:
            raise refused_32("InvalidImageSize", "Input image is too large or empty.")
        return self._frame(received.body, formats, refused_32, max_side)

    def _frame(
        self,
        body: bytes,
        formats: tuple[str, ...],
        refused: Callable[[str, str], Refused],
        max_side: int = 16_000,
    ) -> Frame:
        frame = seen(body, formats, applies_exif=self.applies_exif)
        if frame is None:
            raise refused("InvalidImageFormat", "Input data is not a valid image.")
        if not all(50 <= side <= max_side for side in frame.size):
            raise refused("InvalidImageSize", "Image dimensions are out of range.")
        return frame

    def _bill(self, transactions: int) -> None:
        with self._lock:
            self.billed += transactions


def _is_octets(received: Received, refused: Refused) -> None:
    if received.headers.get("content-type") != "application/octet-stream":
        raise refused
