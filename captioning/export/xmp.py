"""XMP sidecars: what a record says of a picture, for photo programs.

dc:description                       caption, in all languages
Iptc4xmpCore:AltTextAccessibility    alt text, in all languages; none of a decorative picture
Iptc4xmpCore:ExtDescrAccessibility   description, in all languages
dc:subject                           tags
xmp:MetadataDate                     when the record was last saved

`x:xmptk` names the program that wrote the file last. With the record's id behind it, it tells our
sidecars from others'.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree as ET

from captioning.domain.record import CaptionRecord, CaptionText
from captioning.export.filenames import places
from captioning.export.xml_text import in_xml

SUFFIX = ".xmp"
Outcome = Literal["written", "there", "empty", "failed"]
_OF_ONE_FILE = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL}
"""What one name is at fault for; the next may do. Anything else ends the export."""
FOREIGN = "another program wrote its sidecar, or changed it: --overwrite replaces that"
OUTSIDE = "a link in the folder leads out of it"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What became of a record; `problem` says why one failed."""

    path: str
    outcome: Outcome
    problem: str = ""


def write_sidecars(
    records: Iterable[CaptionRecord], folder: Path, *, overwrite: bool = False
) -> Iterator[Sidecar]:
    """Writes a sidecar for every captioned record that says something. Each is there whole or not
    at all; one that would not change is left as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    root = folder.resolve(strict=True)
    for record in records:
        if record.status == "captioned":
            yield _written(record, root, overwrite=overwrite)


def _written(record: CaptionRecord, root: Path, *, overwrite: bool) -> Sidecar:
    content = sidecar(record)
    if content is None:
        return Sidecar(record.path, "empty")
    try:
        return _placed(record, content, root, overwrite=overwrite)
    except OSError as error:
        if error.errno not in _OF_ONE_FILE:
            raise
        return Sidecar(record.path, "failed", f"cannot be written: {error.strerror}")


def _placed(record: CaptionRecord, content: bytes, root: Path, *, overwrite: bool) -> Sidecar:
    """In the first place that is free, or the record's own. On a file system that does not tell
    `A.jpg` from `a.jpg`, the first may be the other's."""
    *_, last = names = places(record.path, SUFFIX)
    for name in names:
        place = root / name
        if not place.parent.resolve().is_relative_to(root):
            return Sidecar(record.path, "failed", OUTSIDE)
        head = _head(place)
        whose = None if head is None else owner(head)
        if whose and whose != record.id and name != last:
            continue
        if head is not None and whose != record.id and not overwrite:
            return Sidecar(record.path, "failed", FOREIGN)
        if head is not None and place.read_bytes() == content:
            return Sidecar(record.path, "there")
        _replace(place, content)
        return Sidecar(record.path, "written")
    raise AssertionError("there is always a last place")


def _head(place: Path) -> bytes | None:
    """The beginning of what is there."""
    try:
        with place.open("rb") as file:
            return file.read(HEAD_BYTES)
    except FileNotFoundError:
        return None


def _replace(place: Path, content: bytes) -> None:
    """Writes beside it and puts that in its place: a crash leaves the old one or the new."""
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)


X = "adobe:ns:meta/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"
XMP = "http://ns.adobe.com/xap/1.0/"
IPTC = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
DEFAULT = "x-default"
"""The language of the item that a program shows which does not choose."""
HEAD_BYTES = 512
"""Of a sidecar: they hold the mark."""
_MARK = re.compile(rb'<x:xmpmeta [^<>]*x:xmptk="captioning sha256:([0-9a-f]{64})"')
_BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_END = '\n<?xpacket end="w"?>\n'
_PREFIXES = {"x": X, "rdf": RDF, "dc": DC, "xmp": XMP, "Iptc4xmpCore": IPTC}


for _prefix, _uri in _PREFIXES.items():
    ET.register_namespace(_prefix, _uri)


def sidecar(record: CaptionRecord) -> bytes | None:
    """The sidecar of a captioned record; None where that says nothing."""
    texts = _texts(record)
    alternatives = {
        f"{{{DC}}}description": {lang: text.caption for lang, text in texts.items()},
        f"{{{IPTC}}}AltTextAccessibility": {lang: text.alt_text for lang, text in texts.items()},
        f"{{{IPTC}}}ExtDescrAccessibility": {
            lang: text.description for lang, text in texts.items()
        },
    }
    root = ET.Element(f"{{{X}}}xmpmeta", {f"{{{X}}}xmptk": f"captioning sha256:{record.id}"})
    about = ET.SubElement(ET.SubElement(root, f"{{{RDF}}}RDF"), f"{{{RDF}}}Description")
    about.set(f"{{{RDF}}}about", "")
    for name, values in alternatives.items():
        _add(about, name, "Alt", [(lang, text) for lang, text in values.items() if text])
    _add(about, f"{{{DC}}}subject", "Bag", [(None, tag.name) for tag in record.tags])
    if not len(about):
        return None
    saved = record.updated.astimezone(UTC)
    ET.SubElement(about, f"{{{XMP}}}MetadataDate").text = f"{saved:%Y-%m-%dT%H:%M:%SZ}"
    ET.indent(root, " ")
    return f"{_BEGIN}{ET.tostring(root, 'unicode')}{_END}".encode()


def owner(head: bytes) -> str | None:
    """The id of the record that a file was made of, by its first bytes; None where another
    program wrote the file, or changed it since."""
    found = _MARK.search(head[:HEAD_BYTES])
    return found[1].decode("ascii") if found else None


def _texts(record: CaptionRecord) -> dict[str, CaptionText]:
    """By language, the default first, and after it the same in its own name."""
    main = CaptionText(record.caption or "", record.alt_text or "", record.description or "")
    named = {record.language: main} if record.language else {}
    return {DEFAULT: main, **named, **record.translations}


def _add(about: ET.Element, name: str, kind: str, items: list[tuple[str | None, str]]) -> None:
    """A property with items, each once; none where all are empty."""
    kept = dict.fromkeys((lang, shown) for lang, text in items if (shown := in_xml(text).strip()))
    if not kept:
        return
    array = ET.SubElement(ET.SubElement(about, name), f"{{{RDF}}}{kind}")
    for lang, text in kept:
        item = ET.SubElement(array, f"{{{RDF}}}li", {LANG: lang} if lang else {})
        item.text = text
