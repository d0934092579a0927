"""What is known of one content: an image's bytes, under one way of captioning them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

from pydantic import TypeAdapter

from captioning.domain.record import Captioning, Claim, ImageAnalysis
from captioning.domain.usage import NOTHING, Usage


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a service will not have this content."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class ReuseEntry:
    """What services said of the bytes with this SHA-256, asked as the fingerprint says.

    `path` is the blob it was paid for, `upload` the ETag that it had, `run` the run that saved it
    last, `usage` what was paid so far. A claim is of the run that pays at the moment, `unbooked`
    what of the usage is that run's and in no ledger yet. `parts` are answers of an analysis that is
    not whole yet; `is_done` when
    nothing is left to pay for. `afresh` is the request for a new caption that it answers. With
    `burst` the answers are to a near-identical frame: that one's are path, upload and usage.
    """

    sha256: str
    fingerprint: str
    path: str
    run: str
    claim: Claim | None = None
    parts: dict[str, Any] = field(default_factory=dict)
    analysis: ImageAnalysis | None = None
    captioning: Captioning | None = None
    refusal: Refusal | None = None
    usage: Usage = NOTHING
    unbooked: Usage = NOTHING
    is_done: bool = False
    afresh: str | None = None
    upload: str = ""
    burst: bool = False

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        document: dict[str, Any] = _adapter().dump_python(self, mode="json")
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> ReuseEntry:
        """pydantic.ValidationError where the document is not one."""
        return _adapter().validate_python(document)


@cache
def _adapter() -> TypeAdapter[ReuseEntry]:
    return TypeAdapter(ReuseEntry)


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """Work and the ETag of the version read."""

    work: ReuseEntry
    etag: str


class ReuseStore(Protocol):
    """What is known of contents."""

    def get(self, sha256: str, fingerprint: str) -> StoredEntry | None:
        """The entry of these bytes, captioned this way."""

    def put(self, entry: ReuseEntry, etag: str | None) -> str:
        """Replaces the version with the ETag, or creates the entry, and returns the new ETag;
        RecordChanged where another version is there."""
