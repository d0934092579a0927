"""What a file is, by its first bytes."""

from __future__ import annotations

import re

from captioning.errors import UnsupportedFormat

PICTURES = (
    ("JPEG", 0, b"\xff\xd8\xff"),
    ("PNG", 0, b"\x89PNG\r\n\x1a\n"),
    ("GIF", 0, b"GIF87a"),
    ("GIF", 0, b"GIF89a"),
    ("WEBP", 8, b"WEBP"),
    ("CR2", 8, b"CR\2"),
    ("TIFF", 0, b"II*\0"),
    ("TIFF", 0, b"MM\0*"),
    ("TIFF", 0, b"II+\0"),
    ("TIFF", 0, b"MM\0+"),
    ("TIFF", 0, b"MM*\0"),
    ("TIFF", 0, b"II\0*"),
    ("ORF", 0, b"IIRO"),
    ("ORF", 0, b"IIRS"),
    ("ORF", 0, b"MMOR"),
    ("RW2", 0, b"IIU\0"),
    ("RAF", 0, b"FUJIFILMCCD-RAW"),
    ("JPEG2000", 0, b"\xff\x4f\xff\x51"),
    ("JPEG2000", 0, b"\0\0\0\x0cjP  \r\n\x87\n"),
    ("ICO", 0, b"\0\0\1\0"),
    ("BMP", 0, b"BM"),
)
"""Format, and the bytes at a place of its files. Containers of the kind of MP4 follow below."""
OTHERS = (
    ("a JPEG XL", 0, b"\xff\x0a"),
    ("a JPEG XL", 0, b"\0\0\0\x0cJXL \r\n\x87\n"),
    ("a JPEG XR", 0, b"II\xbc"),
    ("a Photoshop file", 0, b"8BPS"),
    ("a GIMP file", 0, b"gimp xcf"),
    ("a cursor", 0, b"\0\0\2\0"),
    ("an OpenEXR file", 0, b"\x76\x2f\x31\x01"),
    ("a Radiance HDR file", 0, b"#?RADIANCE"),
    ("a DDS texture", 0, b"DDS "),
    ("a camera's raw file (CRW)", 6, b"HEAPCCDR"),
    ("a camera's raw file (MRW)", 0, b"\0MRM"),
    ("a camera's raw file (X3F)", 0, b"FOVb"),
    ("a DICOM file", 128, b"DICM"),
    ("a FITS file", 0, b"SIMPLE  ="),
    ("a QOI image", 0, b"qoif"),
    ("an icon of macOS", 0, b"icns"),
    ("an MNG animation", 0, b"\x8aMNG"),
    ("a DjVu document", 0, b"AT&TFORM"),
    ("a Windows metafile", 0, b"\xd7\xcd\xc6\x9a"),
    ("a Windows metafile", 40, b" EMF"),
    ("an archive", 0, b"PK\3\4"),
    ("an archive", 0, b"Rar!"),
    ("an archive", 0, b"7z\xbc\xaf"),
    ("an archive", 0, b"\x1f\x8b"),
    ("a video", 0, b"\x1aE\xdf\xa3"),
    ("a video", 0, b"\0\0\1\xba"),
    ("a video", 0, b"\0\0\1\xb3"),
    ("a video", 0, b"FLV\1"),
    ("a video", 8, b"AVI "),
    ("a video", 4, b"moov"),
    ("a video", 4, b"mdat"),
    ("a video", 4, b"wide"),
    ("a sound", 8, b"WAVE"),
    ("a sound", 0, b"ID3"),
    ("a sound", 0, b"OggS"),
    ("a sound", 0, b"fLaC"),
)
"""What else people upload. The app reads none of these."""
_BRANDS = (
    ("AVIF", {b"avif", b"avis"}),
    ("CR3", {b"crx "}),
    ("HEIF", {b"heic", b"heix", b"heim", b"heis", b"mif1"}),
)
_PORTABLE = re.compile(rb"P[1-7]\s")


def format_of(data: bytes) -> str:
    """The format, if the app reads files of it; else "". A whole file of it may still be damaged,
    or of a kind that cannot be read."""
    for name, at, magic in PICTURES:
        if data.startswith(magic, at):
            return name
    brands = _brands(data)
    return next((name for name, known in _BRANDS if brands & known), "")


def described(data: bytes) -> str:
    """What the file is, in words, if `format_of` knows no format: "a video"."""
    for words, at, magic in OTHERS:
        if data.startswith(magic, at):
            return words
    if brands := _brands(data):
        return "a HEIC sequence" if brands & {b"msf1", b"hevc", b"hevx"} else "a video"
    start = data[:1024].lstrip().lower()
    if start.startswith(b"%pdf"):
        return "a PDF"
    if start.startswith(b"%!ps"):
        return "a PostScript drawing"
    if b"<svg" in start:
        return "an SVG drawing"
    if _PORTABLE.match(data):
        return "a Netpbm image"
    if b"\0" not in start and start.isascii():
        return "text"
    return "of an unknown kind"


def refused(words: str) -> UnsupportedFormat:
    """The error for a file that is whole and cannot be read; `words` say what it is."""
    return UnsupportedFormat(
        f"The content is {words}, not an image the app reads. "
        "Convert it to JPEG, PNG or WebP and upload it again."
    )


def _brands(data: bytes) -> set[bytes]:
    """The brands of an ISO base media file: HEIC, AVIF, CR3, MP4."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4], "big"), 256)
    return {data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))}
