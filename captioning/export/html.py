"""A gallery for sharing, as files in a folder: pages and thumbnails, and nothing else of what is
known. No path, place, date or name of a service is in it."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from captioning.api.messages import Request, Response
from captioning.domain.record import CaptionRecord
from captioning.export.static_page import Shown, page, page_name
from captioning.images.picture import read_header

WIDTH = 320
"""Pixels of a thumbnail: a width that the app keeps."""
ON_A_PAGE = 100
AT_ONCE = 8
THUMBNAILS = "thumbnails"
Look = Callable[[Request], Response]


@dataclass(frozen=True, slots=True)
class Gallery:
    """How many pictures are in it, and how many are not, as they have no caption of their own or
    cannot be shown."""

    pictures: int
    left_out: int


def write_gallery(records: Iterable[CaptionRecord], folder: Path, look: Look) -> Gallery:
    """Writes the gallery into a folder that is new or empty; `look` answers `GET /api/images/`.

    index.html comes last: without it the gallery is not finished.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(errno.EEXIST, "The folder is not empty: name a new one", str(folder))
    (folder / THUMBNAILS).mkdir()
    first, buffered, number, left_out = b"", list[Shown](), 1, 0
    for shown in _pictures(iter(records), folder, look):
        if shown is None:
            left_out += 1
            continue
        if len(buffered) == ON_A_PAGE:
            first = _page(folder, buffered, number, first)
            buffered, number = [], number + 1
        buffered.append(shown)
    pictures = (number - 1) * ON_A_PAGE + len(buffered)
    first = _page(folder, buffered, number, first, is_last=True)
    (folder / page_name(1)).write_bytes(first)
    return Gallery(pictures, left_out)


def _page(
    folder: Path, pictures: list[Shown], number: int, first: bytes, *, is_last: bool = False
) -> bytes:
    """Writes a page; the first is kept back and returned."""
    made = page(pictures, number, is_last=is_last)
    if number == 1:
        return made
    (folder / page_name(number)).write_bytes(made)
    return first


def _pictures(records: Iterator[CaptionRecord], folder: Path, look: Look) -> Iterator[Shown | None]:
    """Some at a time, in their order; None for each that is left out."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="gallery") as pool:
        while some := list(islice(records, 2 * AT_ONCE)):
            yield from pool.map(partial(_picture, folder=folder, look=look), some)


def _picture(record: CaptionRecord, folder: Path, look: Look) -> Shown | None:
    """Its thumbnail is stored; None where the caption is not this image's, or there is none."""
    if record.status != "captioned" or not record.caption:
        return None
    answer = look(Request(f"?width={WIDTH}", f"sha256:{record.id}"))
    bare = record.image.etag.strip('"')
    if answer.status != 200 or answer.headers["ETag"] != f'"{bare}-{WIDTH}"':
        return None
    source = f"{THUMBNAILS}/{record.id}.jpg"
    (folder / source).write_bytes(answer.body)
    header = read_header(answer.body)
    return Shown(record, source, header.width, header.height)
