"""A gallery for sharing: pages and thumbnails in a folder, which need no script, server or network.

It contains no path, place, date or name of a service. Pages are built as trees and serialized by
the standard library, so no text can become markup.
"""

from __future__ import annotations

import base64
import errno
import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree as ET

from captioning.domain.record import CaptionRecord
from captioning.export.xml_text import in_xml
from captioning.images.picture import read_header

FIRST = "index.html"
WIDTH = 320
"""Pixels of a thumbnail: one of the widths that the app stores."""
ON_A_PAGE = 100
"""Pictures on a page."""
AT_ONCE = 8
THUMBNAILS = "thumbnails"
Look = Callable[[CaptionRecord], bytes | None]
"""Returns the thumbnail of a record's upload, `WIDTH` pixels wide; None where there is none."""
STYLE = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { background: Canvas; color: CanvasText; margin: 1.5rem auto; max-width: 80rem; }
body { padding: 0 1rem; }
main { display: grid; gap: 1.5rem; }
@media (min-width: 25rem) { main { grid-template-columns: repeat(auto-fill, minmax(18rem, 1fr)); } }
figure { margin: 0; overflow-wrap: anywhere; }
img { display: block; height: auto; max-width: 100%; border-radius: 0.25rem; }
figcaption p { margin: 0.5rem 0; }
ul { display: flex; flex-wrap: wrap; gap: 0.25rem 0.5rem; list-style: none; margin: 0; padding: 0; }
li { border: 1px solid GrayText; border-radius: 1rem; font-size: 0.875rem; padding: 0 0.6rem; }
nav { display: flex; gap: 1rem; margin: 2rem 0; }
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode("ascii")
POLICY = (
    f"default-src 'none'; img-src 'self' file:; style-src 'sha256-{_HASH}'; base-uri 'none';"
    " form-action 'none'"
)
"""`file:` is the scheme of the pictures when the page is opened from a disk."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture on a page: its record, and the thumbnail's address and size in pixels."""

    record: CaptionRecord
    source: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Gallery:
    """How many pictures are in the gallery, and how many are left out, because they have no caption
    or cannot be shown."""

    pictures: int
    left_out: int


def write_gallery(records: Iterable[CaptionRecord], folder: Path, look: Look) -> Gallery:
    """Writes the gallery into a folder that is new or empty; `look` returns the thumbnails.

    index.html is written last: a gallery without it is not complete.
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
    """Writes a page; the first one is returned instead, as it is written last."""
    made = page(pictures, number, is_last=is_last)
    if number == 1:
        return made
    (folder / page_name(number)).write_bytes(made)
    return first


def _pictures(records: Iterator[CaptionRecord], folder: Path, look: Look) -> Iterator[Shown | None]:
    """Reads some thumbnails at a time, in the order of the records; None where one is left out."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="gallery") as pool:
        while some := list(islice(records, 2 * AT_ONCE)):
            yield from pool.map(partial(_picture, folder=folder, look=look), some)


def _picture(record: CaptionRecord, folder: Path, look: Look) -> Shown | None:
    """Writes the thumbnail; None where there is no caption, or no thumbnail of this upload."""
    if record.status != "captioned" or not record.caption:
        return None
    jpeg = look(record)
    if jpeg is None:
        return None
    source = f"{THUMBNAILS}/{record.id}.jpg"
    (folder / source).write_bytes(jpeg)
    header = read_header(jpeg)
    return Shown(record, source, header.width, header.height)


def page_name(number: int) -> str:
    """The name of a page's file; pages are numbered from 1."""
    return FIRST if number == 1 else f"page-{number}.html"


def page(pictures: Iterable[Shown], number: int, *, is_last: bool) -> bytes:
    """The HTML of a page, in UTF-8."""
    root = ET.Element("html", lang="en")
    title = "Pictures" if number == 1 else f"Pictures, page {number}"
    _add_head(root, title)
    body = ET.SubElement(root, "body")
    ET.SubElement(body, "h1").text = title
    main = ET.SubElement(body, "main")
    main.extend(_figure(shown) for shown in pictures)
    if number > 1 or not is_last:
        nav = ET.SubElement(body, "nav", {"aria-label": "Pages"})
        if number > 1:
            ET.SubElement(nav, "a", href=page_name(number - 1), rel="prev").text = "Newer pictures"
        if not is_last:
            ET.SubElement(nav, "a", href=page_name(number + 1), rel="next").text = "Older pictures"
    return f"<!doctype html>\n{ET.tostring(root, 'unicode', method='html')}\n".encode()


def _add_head(root: ET.Element, title: str) -> None:
    head = ET.SubElement(root, "head")
    ET.SubElement(head, "meta", charset="utf-8")
    ET.SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": POLICY})
    ET.SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    ET.SubElement(head, "meta", name="referrer", content="no-referrer")
    ET.SubElement(head, "title").text = title
    ET.SubElement(head, "style").text = STYLE


def _figure(shown: Shown) -> ET.Element:
    record = shown.record
    figure = ET.Element("figure", {"lang": record.language} if record.language else {})
    ET.SubElement(
        figure,
        "img",
        src=shown.source,
        alt=alternative(record),
        width=str(shown.width),
        height=str(shown.height),
        loading="lazy",
    )
    caption = ET.SubElement(figure, "figcaption")
    _add_text(caption, record.caption or "")
    for language, text in record.translations.items():
        _add_text(caption, text.caption, language)
    _add_description(caption, record)
    if record.tags:
        tags = ET.SubElement(caption, "ul", {"aria-label": "Tags", "lang": "en"})
        for tag in record.tags:
            ET.SubElement(tags, "li", dir="auto").text = in_xml(tag.name)
    return figure


def alternative(record: CaptionRecord) -> str:
    """The `alt` of the picture: empty where it is decorative; the caption where there is no alt
    text."""
    return "" if record.decorative else in_xml(record.alt_text or record.caption or "")


def _add_description(caption: ET.Element, record: CaptionRecord) -> None:
    """Adds the description, which is long and therefore folded, in each language that has one."""
    texts = [(record.language, record.description or "")]
    texts += [(language, text.description) for language, text in record.translations.items()]
    texts = [(language, text) for language, text in texts if text]
    if not texts:
        return
    details = ET.SubElement(caption, "details")
    ET.SubElement(details, "summary", lang="en").text = "Description"
    for language, text in texts:
        _add_text(details, text, language)


def _add_text(parent: ET.Element, text: str, language: str | None = None) -> None:
    """Adds a paragraph, in the writing direction of its text; none where the text is empty."""
    if shown := in_xml(text):
        paragraph = ET.SubElement(parent, "p", dir="auto")
        paragraph.text = shown
        if language:
            paragraph.set("lang", language)
