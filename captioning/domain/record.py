"""The record of an image and the parts that it is made of.

The table, the API, the command line and exports share one JSON shape: that of these dataclasses.
Pydantic reads and writes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError

from captioning.domain.usage import Usage

Status = Literal["processing", "deferred", "captioned", "rejected", "failed", "unreadable"]
"""No record is saved as `unreadable`: that is what this version makes of one it cannot read."""
FINAL: frozenset[Status] = frozenset({"captioned", "rejected", "failed", "unreadable"})
"""Nothing more happens to the image by itself."""
Review = Literal["none", "needed", "done"]
CaptionInput = Literal["image+tags", "image", "tags"]
Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""
LEFT_FOR_A_CALL = 0.75
"""The least part of a claim's time that is left when a service is called."""


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("has no time zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of range") from None


Moment = Annotated[datetime, AfterValidator(_in_utc)]
"""A time that can be compared with others."""


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
    """What a vision provider saw, in one shape for all services and versions.

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

    Without texts there is nothing that the model can say; `note` says why.
    """

    model: str
    texts: dict[str, CaptionText]
    note: str | None = None
    decorative: bool = False


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """The stored image. Fields from `format` on are None until it has been inspected."""

    bytes: int
    etag: str
    modified: Moment
    format: str | None = None
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    sha256: str | None = None
    color: str | None = None
    """The colour space that the file names, for people: "sRGB" where it names none."""


@dataclass(frozen=True, slots=True)
class Support:
    """How well the evidence supports the caption, 0 to 1, and the words without support."""

    score: float
    unsupported: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Provenance:
    """How the texts came to be.

    `reused_from` is the path of the blob that they were paid for; with `burst` that is a
    near-identical frame, otherwise it has the same bytes. `afresh` is the id of the request that
    they answer. `reverted` is set when a person went back to them: no run replaces them unless it
    is requested.
    """

    vision: str | None = None
    model: str | None = None
    input: CaptionInput | None = None
    fingerprint: str | None = None
    reused_from: str | None = None
    burst: bool = False
    afresh: str | None = None
    vocabulary: str | None = None
    """`digest` of the tag vocabulary that the tags were made with."""
    edited_by_human: tuple[str, ...] = ()
    reverted: bool = False


@dataclass(frozen=True, slots=True)
class RecordError:
    """Why there is no caption (yet), or not the new one that was requested. The message is for a
    person and holds no image content.

    `since` is when the image was first deferred. If an earlier caption stays, `fingerprint` and
    `afresh` are those of the run that failed: see Provenance.
    """

    code: str
    message: str
    attempts: int = 1
    retry_at: Moment | None = None
    since: Moment | None = None
    fingerprint: str | None = None
    afresh: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A run's exclusive claim on an image, or on its bytes, until it expires.

    `crashes` counts the runs of this upload that ended without a trace.
    """

    worker: str
    until: Moment
    crashes: int = 0

    def holds(self, now: datetime, lease: timedelta, *, has_waited: bool) -> bool:
        """Whether others must leave it alone.

        No claim lasts longer than its lease. One that ends later than that was made by a clock that
        was ahead; it holds until somebody `has_waited` for as long as a lease.
        """
        left = self.until - now
        return left > timedelta(0) and not (has_waited and left > lease)


@dataclass(frozen=True, slots=True)
class Written:
    """What people wrote that another upload, or another text, has replaced: JSON values by field.

    `sha256` is that of the bytes these are about, None where they never became known; `until` when
    they were replaced. With `undone`, a person had gone back from them: they do not return with the
    bytes.
    """

    sha256: str | None
    edits: dict[str, Any]
    until: Moment
    undone: bool = False


@dataclass(frozen=True, slots=True)
class Previous:
    """The texts that were replaced: JSON values of the record's fields by name, how they came to be
    (the record's `provenance` then), what they cost, and when they were replaced. With `undone`, a
    person has gone back from them: they may be newer than the record's own."""

    texts: dict[str, Any]
    provenance: dict[str, Any]
    usage: Usage
    until: Moment
    undone: bool = False


@dataclass(frozen=True, slots=True)
class CaptionRecord:
    """Everything known about one blob."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False)

    path: str
    id: str
    status: Status
    image: ImageInfo
    created: Moment
    updated: Moment
    review: Review = "none"
    language: str | None = None
    """The language of caption, alt text and description."""
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
    """The run that processes the image; until when a deferred one waits."""
    note: str | None = None
    """What a reader of a captioned record should know, such as why it holds no caption."""
    previous: Previous | None = None
    """The texts that a model or a person has replaced last."""
    history: tuple[Written, ...] = ()
    """What people wrote about this path before, the newest first."""
    answered: tuple[str, ...] = ()
    """Ids of the latest requests for another caption that are done with, the newest first."""

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values; times are RFC 3339 in UTC."""
        document: dict[str, Any] = _adapter().dump_python(self, mode="json")
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> CaptionRecord:
        """The record of a JSON document; pydantic.ValidationError when it is not one."""
        return _adapter().validate_python(_with_history(document))

    @classmethod
    def wrong_fields(cls, document: dict[str, Any]) -> frozenset[str]:
        """The fields, wrong or missing, because of which a JSON document is no record."""
        try:
            _adapter().validate_python(_with_history(document))
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            return frozenset(str(one["loc"][0]) for one in found)
        return frozenset()


def _with_history(document: dict[str, Any]) -> dict[str, Any]:
    """The document with a history; earlier versions had one entry of it, as `carried`."""
    carried = document.get("carried")
    if not isinstance(carried, dict):
        return document
    entry = {**carried, "until": document.get("updated")}
    return {**document, "history": [entry, *document.get("history", ())]}


@cache
def _adapter() -> TypeAdapter[CaptionRecord]:
    return TypeAdapter(CaptionRecord)


def record_id(path: str) -> str:
    """A record's id: SHA-256 of the blob's path, in hex. A path may hold characters that the key of
    a table's row may not."""
    return hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record, the ETag of the version read, and the keys of the index rows that exist for it.

    `columns` are the record's as they are stored, also those that this version does not know: a
    save keeps them, and the text of what it does not change.
    """

    record: CaptionRecord
    etag: str
    rows: frozenset[str] = frozenset()
    columns: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
