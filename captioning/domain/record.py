"""What crosses files: the record of an image and the parts it is made of.

One JSON shape serves the table, the API, the command line and exports. It is the shape of these
dataclasses; pydantic reads and writes it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Literal

from pydantic import TypeAdapter

from captioning.domain.usage import Usage


@dataclass(frozen=True, slots=True)
class Carried:
    """JSON values of the fields that people wrote, and the SHA-256 of the bytes they meant."""

    sha256: str
    edits: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Previous:
    """The texts that others took the place of: JSON values of the record's fields by name, how they
    came to be (the record's `provenance` then), what they cost, and until when they stood."""

    texts: dict[str, Any]
    provenance: dict[str, Any]
    usage: Usage
    until: datetime


Status = Literal["processing", "deferred", "captioned", "rejected", "failed"]


FINAL: frozenset[Status] = frozenset({"captioned", "rejected", "failed"})
"""Nothing more happens to the image by itself."""


Review = Literal["none", "needed", "done"]


CaptionInput = Literal["image+tags", "image", "tags"]


Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""


@dataclass(frozen=True, slots=True)
class Tag:
    name: str
    confidence: float


@dataclass(frozen=True, slots=True)
class DetectedObject:
    name: str
    confidence: float
    box: Box


@dataclass(frozen=True, slots=True)
class TextLine:
    text: str
    box: Box


@dataclass(frozen=True, slots=True)
class ImageAnalysis:
    """What a vision provider saw, whichever service and version it asked.

    Boxes are in pixels of a picture of `width` x `height`, the size the provider reports.
    """

    provider: str
    width: int
    height: int
    tags: tuple[Tag, ...] = ()
    objects: tuple[DetectedObject, ...] = ()
    text: tuple[TextLine, ...] = ()
    brands: tuple[DetectedObject, ...] = ()
    people: tuple[DetectedObject, ...] = ()
    captions: tuple[str, ...] = ()
    adult: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CaptionText:
    """One language's words for a picture."""

    caption: str
    alt_text: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Captioning:
    """What a caption model answered: texts by language, the main language first.

    No texts means that there is nothing the model can say; `note` tells why.
    """

    model: str
    texts: dict[str, CaptionText]
    note: str | None = None
    decorative: bool = False


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """The stored image. What is not known of a refused one is None."""

    bytes: int
    etag: str
    modified: datetime
    format: str | None = None
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Support:
    """How far the evidence carries the caption: 0 to 1, and the words it does not carry."""

    score: float
    unsupported: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Provenance:
    """How the texts came to be; `afresh` is the request that they answer. With `burst`, those of
    `reused_from` are of a near-identical frame, not of the same bytes. `reverted`: a person went
    back to them, and no run is to replace them unasked."""

    vision: str | None = None
    model: str | None = None
    input: CaptionInput | None = None
    fingerprint: str | None = None
    reused_from: str | None = None
    burst: bool = False
    afresh: str | None = None
    vocabulary: str | None = None
    """Hash of what TAG_VOCABULARY_FILE made of the tags."""
    edited_by_human: tuple[str, ...] = ()
    reverted: bool = False


@dataclass(frozen=True, slots=True)
class RecordError:
    """Why there is no caption (yet), or not the new one that was asked for. The message is for a
    person and holds no image content.

    `since` is when the image was first deferred. Where an earlier caption stays, `fingerprint` and
    `afresh` are of the run that failed: see Provenance."""

    code: str
    message: str
    attempts: int = 1
    retry_at: datetime | None = None
    since: datetime | None = None
    fingerprint: str | None = None
    afresh: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Until when a run has an image, or the bytes of one, to itself; free afterwards.

    `crashes` counts the runs of this upload that ended without a trace.
    """

    worker: str
    until: datetime
    crashes: int = 0


@dataclass(frozen=True, slots=True)
class CaptionRecord:
    """Everything known about one blob."""

    path: str
    id: str
    status: Status
    image: ImageInfo
    created: datetime
    updated: datetime
    review: Review = "none"
    language: str | None = None
    """Of caption, alt text and description."""
    caption: str | None = None
    alt_text: str | None = None
    decorative: bool = False
    description: str | None = None
    translations: dict[str, CaptionText] = field(default_factory=dict)
    tags: tuple[Tag, ...] = ()
    objects: tuple[DetectedObject, ...] = ()
    text: tuple[TextLine, ...] = ()
    brands: tuple[DetectedObject, ...] = ()
    support: Support | None = None
    provenance: Provenance = Provenance()
    usage: Usage = field(default_factory=Usage)
    error: RecordError | None = None
    seconds: float | None = None
    claim: Claim | None = None
    """The run that processes the image; of a deferred one: until it is tried again."""
    note: str | None = None
    """What a reader of a captioned record should know, such as why it holds no caption."""
    carried: Carried | None = None
    """What people wrote about an earlier upload, until it is known whether this has its bytes."""
    previous: Previous | None = None
    """What it said before, where a model or a person has replaced that."""

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values; times are RFC 3339 in UTC."""
        document: dict[str, Any] = _adapter().dump_python(self, mode="json")
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> CaptionRecord:
        """The record of a JSON document; pydantic.ValidationError when it is not one."""
        return _adapter().validate_python(document)


@cache
def _adapter() -> TypeAdapter[CaptionRecord]:
    return TypeAdapter(CaptionRecord)


def record_id(path: str) -> str:
    """A record's id: SHA-256 of the blob's path, in hex. Names may hold what keys may not."""
    return hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class RowVersions:
    """Which rows of the index are the record's: by what changes them, see `terms.Terms`."""

    upload: str = ""
    content: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record, the ETag of the version read, and those of its rows in the index."""

    record: CaptionRecord
    etag: str
    versions: RowVersions = RowVersions()


LEFT_FOR_A_CALL = 0.75
"""The part of a claim's time that is left at least when a service is called."""
