"""Entries of the cache: what is known of one content, captioned in one way.

A content is an image's bytes, by their SHA-256; the fingerprint of providers, prompt and settings
names the way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Protocol

from pydantic import ConfigDict, TypeAdapter

from captioning.domain.record import Captioning, Claim, ImageAnalysis
from captioning.domain.usage import NOTHING, Usage
from captioning.errors import ImageRejected


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a service refuses this content: code and message of an ImageRejected."""

    code: str
    message: str

    def error(self) -> ImageRejected:
        """The error that the run which was refused ended with; KeyError for an unknown code."""
        kinds = {kind.code: kind for kind in ImageRejected.__subclasses__()}
        return kinds[self.code](self.message)


@dataclass(frozen=True, slots=True)
class ReuseEntry:
    """What services said about the bytes with this SHA-256, called as the fingerprint says.

    `path` is the blob that it was paid for, `upload` the ETag which that blob had, `run` the run
    that saved it last, `usage` what was paid so far. `claim` belongs to the run that is paying;
    `unbooked` is the part of `usage` that this run has not added to the ledger yet. `parts` are
    answers of an analysis that is not complete; `is_done` is set when nothing is left to pay for.
    `afresh` is the id of the request for a new caption that it answers. With `burst` the answers,
    path, upload and usage are those of a near-identical frame.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False)

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
        """The entry as JSON values."""
        document: dict[str, Any] = _adapter().dump_python(self, mode="json")
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> ReuseEntry:
        """The entry of a JSON document; ValueError if it is none that this version can use."""
        entry = _adapter().validate_python(document)
        is_outcome = entry.captioning is not None or entry.refusal is not None
        if entry.is_done and not is_outcome:
            raise ValueError("nothing came of it")
        try:
            _ = entry.refusal and entry.refusal.error()
        except KeyError:
            raise ValueError("an unknown refusal") from None
        return entry


@cache
def _adapter() -> TypeAdapter[ReuseEntry]:
    return TypeAdapter(ReuseEntry)


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry and the ETag of the version that was read."""

    work: ReuseEntry
    etag: str


class ReuseStore(Protocol):
    """The table of entries. Every method raises StorageUnavailable."""

    def get(self, sha256: str, fingerprint: str) -> StoredEntry | None:
        """The entry of these bytes, captioned in this way; None without one."""

    def put(self, entry: ReuseEntry, etag: str | None) -> str:
        """Replaces the version with the ETag, or creates the entry, and returns the new ETag;
        RecordChanged where another version is there."""
