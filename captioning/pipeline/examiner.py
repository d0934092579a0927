"""Examining an image: its blob is read and inspected, its content captioned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from captioning.domain.messages import Wake
from captioning.domain.record import CaptionRecord, Provenance
from captioning.domain.stored import BlobDescription
from captioning.errors import CrashedTooOften, ImageRejected, ImageTooLarge
from captioning.pipeline.transitions import with_picture
from captioning.providers import InspectedPicture
from captioning.records.edits import with_carried
from captioning.records.tag_vocabulary import NO_VOCABULARY, Vocabulary
from captioning.reuse.cache import Contents, Result
from captioning.support.score import Witness
from captioning.telemetry import span

MOST_CRASHES = 5
"""Runs of one upload that may end without a trace: as often as the host tries an event."""


class Reader(Protocol):
    """Where the images are."""

    def read(self, blob: BlobDescription) -> bytes:
        """The described content; BlobChanged or BlobGone when it is not there any more."""


class Examiner:
    """From a claimed record to the services' answers; safe to share between threads."""

    def __init__(
        self,
        *,
        images: Reader,
        inspect: Callable[[bytes], InspectedPicture],
        contents: Contents,
        witness: Witness,
        max_image_bytes: int,
        vocabulary: Vocabulary = NO_VOCABULARY,
    ) -> None:
        self._images = images
        self._inspect = inspect
        self._contents = contents
        self._witness = witness
        self._max_image_bytes = max_image_bytes
        self.fingerprint = contents.fingerprint
        self.vocabulary = vocabulary

    def examine(
        self, record: CaptionRecord, blob: BlobDescription, wake: Wake, run: str
    ) -> tuple[CaptionRecord, Result]:
        """The record with what is known of the picture, and what became of its content."""
        if record.claim and record.claim.crashes >= MOST_CRASHES:
            return record, Result(error=CrashedTooOften(MOST_CRASHES))
        try:
            picture = self._picture(blob)
        except ImageRejected as error:
            return record, Result(error=error)
        record = with_carried(replace(record, image=with_picture(record.image, picture)))
        result = self._contents.caption(picture, blob, run=run, afresh=wake.afresh)
        return record, self._judged(result)

    def provenance(self, wake: Wake, result: Result) -> Provenance:
        """How a record that ends now came to be, as far as it is not in the answers."""
        return Provenance(
            input=self._contents.input,
            fingerprint=self._contents.fingerprint,
            reused_from=result.reused_from,
            burst=result.burst,
            afresh=wake.afresh,
            vocabulary=self.vocabulary.digest,
        )

    def _judged(self, result: Result) -> Result:
        """The result with its support: worked out anew each time, also where answers are reused."""
        answers = result.answers
        if answers is None or answers.captioning.decorative or not answers.captioning.texts:
            return result
        language, text = next(iter(answers.captioning.texts.items()))
        support = self._witness.support(text, language, answers.analysis)
        return replace(result, support=support, is_doubtful=self._witness.doubts(support))

    def _picture(self, blob: BlobDescription) -> InspectedPicture:
        if blob.bytes > self._max_image_bytes:
            raise ImageTooLarge(
                f"The blob has {blob.bytes:,} bytes; MAX_IMAGE_BYTES is "
                f"{self._max_image_bytes:,}. Upload a smaller version or raise the limit."
            )
        with span("download"):
            data = self._images.read(blob)
        return self._inspect(data)
