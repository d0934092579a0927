"""Asking about a picture: the vision provider and the caption model, together."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from captioning.models import Captioning, CaptionInput, ImageAnalysis
from captioning.rendition import InputLimits, Rendition


class Picture(Protocol):
    """An inspected image."""

    def for_model(self) -> Rendition:
        """What the caption model sees."""

    def for_service(self, limits: InputLimits) -> Rendition:
        """What a service with these limits gets. Raises ImageTooSmall."""


class ImageAnalyzer(Protocol):
    """A vision provider."""

    @property
    def identity(self) -> str:
        """What decides its answers (provider, version, features): part of the fingerprint."""

    @property
    def limits(self) -> InputLimits:
        """Which images it takes as they are."""

    def analyze(self, image: Rendition) -> ImageAnalysis:
        """What it sees; boxes in pixels of the size it reports. Raises ImageRejected,
        ServiceDeferred or BadResponse."""


class Captioner(Protocol):
    """A caption model."""

    @property
    def identity(self) -> str:
        """What decides its answers (provider, model, prompt, languages): likewise."""

    def caption(self, image: Rendition | None, evidence: ImageAnalysis | None) -> Captioning:
        """Texts for the picture, from what it is given. Raises ContentFiltered, ServiceDeferred
        or BadResponse."""


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

    def ask(self, picture: Picture) -> Answers:
        """Analysis and caption. With input `image` both are asked at the same time, and a refusal
        of either ends the run when both have answered."""
        if self.input == "image":
            return self._side_by_side(picture)
        analysis = self._analyze(self._for_analyzer(picture))
        image = picture.for_model() if self.input == "image+tags" else None
        return Answers(analysis, self.captioner.caption(image, analysis))

    def close(self) -> None:
        """Ends the threads."""
        self._beside.shutdown()

    def _side_by_side(self, picture: Picture) -> Answers:
        seen = self._beside.submit(self._analyze, self._for_analyzer(picture))
        try:
            captioning = self.captioner.caption(picture.for_model(), None)
        finally:
            failure = seen.exception()
        if failure:
            raise failure
        return Answers(seen.result(), captioning)

    def _for_analyzer(self, picture: Picture) -> Rendition | None:
        """What the analyzer gets. An image it cannot take is refused before anybody is asked."""
        return picture.for_service(self.analyzer.limits) if self.analyzer else None

    def _analyze(self, rendition: Rendition | None) -> ImageAnalysis | None:
        if self.analyzer is None or rendition is None:
            return None
        return rendition.to_stored(self.analyzer.analyze(rendition))
