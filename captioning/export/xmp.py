"""XMP sidecars: the texts and tags of a record, in the format of photo programs.

dc:description                       caption, in all languages
Iptc4xmpCore:AltTextAccessibility    alt text, in all languages; none of a decorative picture
Iptc4xmpCore:ExtDescrAccessibility   description, in all languages
dc:subject                           tags
xmp:MetadataDate                     when the record was last saved

`x:xmptk` names the program that wrote the file last. Ours adds the record's id, which distinguishes
its sidecars from those of other programs.
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

X = "adobe:ns:meta/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"
XMP = "http://ns.adobe.com/xap/1.0/"
IPTC = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
DEFAULT = "x-default"
"""The language of the item that programs show by default."""
HEAD_BYTES = 512
"""The mark is within so many bytes of the beginning of a sidecar."""
_MARK = re.compile(rb'<x:xmpmeta [^<>]*x:xmptk="captioning sha256:([0-9a-f]{64})"')
_BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_END = '\n<?xpacket end="w"?>\n'
SUFFIX = ".xmp"
Outcome = Literal["written", "there", "empty", "failed"]
_OF_ONE_FILE = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL}
"""Errors of a single file, after which the export continues. Any other one ends it."""
FOREIGN = "another program wrote or changed the sidecar: --overwrite replaces it"
OUTSIDE = "a link in the folder leads out of the folder"


for _prefix, _uri in {"x": X, "rdf": RDF, "dc": DC, "xmp": XMP, "Iptc4xmpCore": IPTC}.items():
    ET.register_namespace(_prefix, _uri)


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The outcome for a record; `problem` says why one failed."""

    path: str
    outcome: Outcome
    problem: str = ""


def write_sidecars(
    records: Iterable[CaptionRecord], folder: Path, *, overwrite: bool = False
) -> Iterator[Sidecar]:
    """Writes a sidecar for every captioned record that has texts or tags. Each file is replaced as
    a whole; files that would not change are not written."""
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
    """Writes under the first name that is free or the record's own. On a file system that ignores
    case, the first name of `A.jpg` may be taken by `a.jpg`."""
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
    raise AssertionError("the last name is always used")


def _head(place: Path) -> bytes | None:
    """The beginning of the file; None where there is none."""
    try:
        with place.open("rb") as file:
            return file.read(HEAD_BYTES)
    except FileNotFoundError:
        return None


def _replace(place: Path, content: bytes) -> None:
    """Writes a file beside it and renames that, so that a crash leaves the old file or the new."""
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)


def sidecar(record: CaptionRecord) -> bytes | None:
    """The sidecar of a captioned record; None where the record has no texts and no tags."""
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
    """The id of the record that a file was made from, by its first bytes; None where another
    program wrote or changed the file."""
    found = _MARK.search(head[:HEAD_BYTES])
    return found[1].decode("ascii") if found else None


def _texts(record: CaptionRecord) -> dict[str, CaptionText]:
    """The texts by language: the main language as the default and by its name, then the others."""
    main = CaptionText(record.caption or "", record.alt_text or "", record.description or "")
    named = {record.language: main} if record.language else {}
    return {DEFAULT: main, **named, **record.translations}


def _add(about: ET.Element, name: str, kind: str, items: list[tuple[str | None, str]]) -> None:
    """Adds a property with its items, without repeats; none where all are empty."""
    kept = dict.fromkeys((lang, shown) for lang, text in items if (shown := in_xml(text).strip()))
    if not kept:
        return
    array = ET.SubElement(ET.SubElement(about, name), f"{{{RDF}}}{kind}")
    for lang, text in kept:
        item = ET.SubElement(array, f"{{{RDF}}}li", {LANG: lang} if lang else {})
        item.text = text
