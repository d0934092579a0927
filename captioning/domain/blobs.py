"""Names of blobs: which of them a new image may have, how they are written in a URL, and which are
no photos.

Storage accepts more names than it keeps: it turns a backslash into a slash and drops a trailing
dot, and a client that resolves `..` finds another blob. Names that would change are refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from urllib.parse import quote

from captioning.domain.record import record_id

NAME_UNITS = 1_024
"""UTF-16 code units of a blob's name at most."""
LONGEST_IN_A_URL = 7_500
"""Of the 8,190 characters of a request line; the rest is for the method, the query and the key."""
BY_ID = "sha256:"
"""Comes before a record's id that is given in place of a path."""
_BY_ID = re.compile(rf"{BY_ID}([0-9a-f]{{64}})")
SYSTEM_FILES = (".DS_Store", "Thumbs.db", "desktop.ini", "._*")
"""Patterns of what operating systems leave in folders."""
_FOLDER_METADATA = frozenset({"hdi_isfolder", "is_directory"})
"""Metadata that tools and accounts with a hierarchical namespace set on the marker of a folder."""
_NOT_IN_XML = frozenset("\ufffe\uffff")
"""Listings of blobs are XML, which cannot hold these nor control characters."""


@dataclass(frozen=True, slots=True)
class BlobDescription:
    """What is known of a blob without its content. The ETag is quoted, as in HTTP headers."""

    path: str
    bytes: int
    etag: str
    modified: datetime
    sha256: str | None = None
    is_folder: bool = False
    """Whether it is the marker of a folder."""


def is_folder_marker(size: int, metadata: Mapping[str, str]) -> bool:
    """Whether an empty blob stands for a folder, by its metadata. One with content is no marker."""
    marks = {name.lower() for name, value in metadata.items() if value.lower() == "true"}
    return size == 0 and not marks.isdisjoint(_FOLDER_METADATA)


def ignoring_pattern(path: str, patterns: Iterable[str]) -> str | None:
    """The pattern that keeps the blob from being an image, by its file name without regard to case:
    one of `patterns` or of SYSTEM_FILES, or `/` for a folder. None where the app captions it."""
    name = path.rpartition("/")[2].lower()
    if not name:
        return "/"
    found = (each for each in (*SYSTEM_FILES, *patterns) if fnmatchcase(name, each.lower()))
    return next(found, None)


def is_ignored(blob: BlobDescription, patterns: Iterable[str]) -> bool:
    """Whether the app captions no such blob: the marker of a folder, or what a pattern names."""
    return blob.is_folder or ignoring_pattern(blob.path, patterns) is not None


@dataclass(frozen=True, slots=True)
class ContainerIdentity:
    """Which container this is: its account, its name, and an id that it loses when it is deleted
    and made again; an empty one where the app may not write the id."""

    account: str
    container: str
    made: str

    def is_same(self, before: ContainerIdentity) -> bool:
        """Whether this is the container of an earlier look."""
        names = self.account, self.container
        is_made_again = before.made not in {"", self.made}
        return names == (before.account, before.container) and not is_made_again


def name_problem(path: str) -> str:
    """Why no image can be stored under this path; empty if one can."""
    segments, categories = path.split("/"), {unicodedata.category(each) for each in path}
    if {".", ".."}.intersection(segments):
        return "has a segment . or .., which URLs resolve."
    if categories & {"Cc", "Cs"} or not _NOT_IN_XML.isdisjoint(path):
        return "has control characters or a broken encoding, which cannot be in a blob's name."
    if "Co" in categories:
        return "has private-use characters, which cannot be in a blob's name."
    if len(path.encode("utf-16-le")) // 2 > NAME_UNITS:
        return f"is longer than the {NAME_UNITS:,} characters that a blob's name may have."
    if "\\" in path:
        return "has a backslash, which storage makes a slash."
    if any(segment.endswith(".") for segment in segments):
        return "has a part that ends with a dot, which storage drops."
    if not segments[-1]:
        return "ends with a slash: that is a folder's name."
    return ""


def url_path(path: str) -> str:
    """The blob's name in the URL of an item route: its path, percent-encoded, or `sha256:<id>` if a
    URL cannot hold the path. The host decodes everything but `%2F`."""
    quoted = quote(path, safe="/", errors="surrogatepass")
    carries = (
        not {".", ".."}.intersection(path.split("/"))
        and not path.startswith(("/", BY_ID))
        and "%2f" not in path.lower()
        and len(quoted) <= LONGEST_IN_A_URL
    )
    return quoted if carries else f"{BY_ID}{record_id(path)}"


def item_id(item: str) -> str:
    """The id of the record that an item route names, by its blob's path or by `sha256:<id>`."""
    return given_id(item) or record_id(item)


def given_id(item: str) -> str | None:
    """The id in `sha256:<id>`; None if the item is a path."""
    by_id = _BY_ID.fullmatch(item)
    return by_id[1] if by_id else None
