"""The vision provider and the caption model as interfaces, and how both are called together."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from captioning.domain.record import Captioning, CaptionInput, ImageAnalysis
from captioning.images.rendition import InputLimits, Rendition
from captioning.images.sketch import Sketch
from captioning.resilience.calls import Calls
from captioning.telemetry import in_current_context


class Picture(Protocol):
    """An inspected image; sizes are upright."""

    @property
    def format(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def frames(self) -> int: ...
    @property
    def sha256(self) -> str: ...
    @property
    def color(self) -> str: ...
    def sketch(self) -> Sketch:
        """What it looks like, to recognise near-identical frames."""

    def for_model(self) -> Rendition:
        """What the caption model sees."""

    def for_service(self, limits: InputLimits) -> Rendition:
        """What a service with these limits gets. Raises ImageTooSmall."""


class RunContext(Protocol):
    """One run at a picture: the answers that earlier runs saved, the calls to both services, and
    where new answers are saved."""

    @property
    def analysis(self) -> ImageAnalysis | None:
        """The analysis of an earlier run."""

    @property
    def captioning(self) -> Captioning | None:
        """The caption of an earlier run."""

    @property
    def vision(self) -> Calls: ...
    @property
    def model(self) -> Calls: ...
    def analysed(self, analysis: ImageAnalysis) -> None:
        """Saves the analysis as soon as it is there."""

    def captioned(self, captioning: Captioning) -> None:
        """Saves the caption, if it is there before the analysis."""


class ImageAnalyzer(Protocol):
    """A vision provider."""

    @property
    def identity(self) -> str:
        """What its answers depend on (provider, version, features): part of the fingerprint."""

    @property
    def limits(self) -> InputLimits:
        """Which images it accepts as they are."""

    def analyze(self, image: Rendition, calls: Calls) -> ImageAnalysis:
        """What it sees; boxes in pixels of the size it reports. Raises ImageRejected,
        ServiceDeferred or BadResponse."""


class Captioner(Protocol):
    """A caption model."""

    @property
    def identity(self) -> str:
        """What its answers depend on (provider, model, prompt): part of the fingerprint."""

    def caption(
        self, image: Rendition | None, evidence: ImageAnalysis | None, calls: Calls
    ) -> Captioning:
        """Texts for the picture, from the image, the evidence, or both. Raises ContentFiltered,
        ServiceDeferred or BadResponse."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the services said about one picture; boxes in pixels of the stored image."""

    analysis: ImageAnalysis | None
    captioning: Captioning


class Providers:
    """Both services and how they work together; safe to share between threads."""

    def __init__(
        self, analyzer: ImageAnalyzer | None, captioner: Captioner, caption_input: CaptionInput
    ) -> None:
        self.input: CaptionInput = caption_input
        self.analyzer = analyzer
        self.captioner = captioner
        self._beside = ThreadPoolExecutor(64, thread_name_prefix="vision")
        parts = [analyzer.identity if analyzer else None, captioner.identity, caption_input]
        self.fingerprint = hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def ask(self, picture: Picture, context: RunContext) -> Answers:
        """Analysis and caption; an answer that is known already is not requested.

        With input `image` both services are called at the same time, and an error of either is
        raised when both have answered. Raises what ImageAnalyzer and Captioner do.
        """
        if self.input == "image":
            return self._side_by_side(picture, context)
        analysis = self._analysis(picture, context)
        image = picture.for_model() if self.input == "image+tags" else None
        return Answers(analysis, self._caption(image, analysis, context))

    def close(self) -> None:
        """Ends the threads."""
        self._beside.shutdown()

    def _side_by_side(self, picture: Picture, context: RunContext) -> Answers:
        rendition = self._for_analyzer(picture, context)
        seen = self._beside.submit(in_current_context(self._analyze), rendition, context)
        try:
            captioning = self._caption(picture.for_model(), None, context)
            if not seen.done() or seen.exception():
                context.captioned(captioning)
        finally:
            failure = seen.exception()
        if failure:
            raise failure
        return Answers(seen.result(), captioning)

    def _analysis(self, picture: Picture, context: RunContext) -> ImageAnalysis | None:
        return self._analyze(self._for_analyzer(picture, context), context)

    def _for_analyzer(self, picture: Picture, context: RunContext) -> Rendition | None:
        """What the analyzer gets, if it has to be called. An image that it cannot accept is refused
        before any service is called."""
        asked = self.analyzer and context.analysis is None
        return picture.for_service(self.analyzer.limits) if self.analyzer and asked else None

    def _analyze(self, rendition: Rendition | None, context: RunContext) -> ImageAnalysis | None:
        if self.analyzer is None or rendition is None:
            return context.analysis
        analysis = rendition.to_stored(self.analyzer.analyze(rendition, context.vision))
        context.analysed(analysis)
        return analysis

    def _caption(
        self, image: Rendition | None, evidence: ImageAnalysis | None, context: RunContext
    ) -> Captioning:
        return context.captioning or self.captioner.caption(image, evidence, context.model)
