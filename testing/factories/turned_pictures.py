"""Files that say in all kinds of ways how they are to be turned, believed by browsers or not."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from PIL import Image

from testing.factories.avif_files import avif, clap, imir, irot, moving_avif
from testing.factories.first_frames import apng, chunk, chunks, gif, ico
from testing.factories.pictures import encoded

SHORT, LONG, SSHORT = 3, 4, 8
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def exif(
    orientation: int,
    order: str = "<",
    *,
    kind: int = SHORT,
    count: int = 1,
    start: int = 8,
    before: bytes = b"",
) -> bytes:
    """EXIF data with one directory at `start`: the entries `before`, and an orientation."""
    code = {SHORT: "HH", LONG: "I", SSHORT: "hh"}[kind]
    values = (orientation, 0)[: len(code)]
    entry = struct.pack(f"{order}HHI{code}", 0x0112, kind, count, *values)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entries = before + entry
    head = (mark + struct.pack(f"{order}I", start)).ljust(start, b"\0")
    return head + struct.pack(f"{order}H", len(entries) // 12) + entries + bytes(4)


def entry(tag: int, kind: int, count: int, value: bytes) -> bytes:
    """A little-endian entry of a directory."""
    return struct.pack("<HHI4s", tag, kind, count, value)


def xmp(orientation: int) -> bytes:
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
        b' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description'
        b' xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="%d"/></rdf:RDF></x:xmpmeta>'
    ) % orientation


def segment(data: bytes, marker: int = 0xE1) -> bytes:
    """A segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def told(exif_data: bytes) -> bytes:
    """The segment of a JPEG that holds EXIF data."""
    return segment(b"Exif\0\0" + exif_data)


def jpeg(image: Image.Image, *segments: bytes, before: bytes = b"\xff\xe0") -> bytes:
    """A JPEG with more segments before the first one of a kind."""
    data = encoded(image, "JPEG", quality=95, subsampling=0)
    at = data.index(before)
    return data[:at] + b"".join(segments) + data[at:]


def png(image: Image.Image, *before: bytes, after: bytes = b"", **options: object) -> bytes:
    """A PNG with more chunks before its pixels, and after them."""
    parts = [*chunks(encoded(image, "PNG", **options))]
    first = [kind for kind, _ in parts].index(b"IDAT")
    made = [chunk(*part) for part in parts]
    return SIGNATURE + b"".join([*made[:first], *before, *made[first:-1], after, made[-1]])


def jpegs(image: Image.Image) -> Mapping[str, bytes]:
    """JPEGs by what they say."""
    nothing = b"II*\0\x08\0\0\0" + bytes(6)
    wild = entry(0x010F, 2, 5, struct.pack("<I", 100_000))
    broken = exif(6, ">").replace(b"MM\0*", b"MM\0\xd2")
    return {
        **{f"EXIF {number}": jpeg(image, told(exif(number))) for number in range(10)},
        **{f"big-endian EXIF {number}": jpeg(image, told(exif(number, ">"))) for number in (3, 6)},
        "EXIF of type LONG": jpeg(image, told(exif(6, kind=LONG))),
        "big-endian EXIF of type LONG": jpeg(image, told(exif(6, ">", kind=LONG))),
        "EXIF of type SSHORT": jpeg(image, told(exif(6, kind=SSHORT))),
        "EXIF with two values": jpeg(image, told(exif(6, count=2))),
        "EXIF with a late directory": jpeg(image, told(exif(6, start=100))),
        "EXIF with an odd directory": jpeg(image, told(exif(6, ">", start=9))),
        "EXIF without the next directory": jpeg(image, told(exif(6)[:-4])),
        "EXIF cut in the value": jpeg(image, told(exif(6)[:-5])),
        "EXIF beyond its end": jpeg(image, told(b"II*\0\xff\xff\0\0" + exif(6)[8:])),
        "EXIF behind a wild entry": jpeg(image, told(exif(6, before=wild))),
        "a LONG and then a SHORT": jpeg(
            image, told(exif(6, before=entry(0x0112, LONG, 1, b"\3\0\0\0")))
        ),
        "0 and then 6": jpeg(image, told(exif(6, before=entry(0x0112, SHORT, 1, bytes(4))))),
        "3 and then 6": jpeg(image, told(exif(6, before=entry(0x0112, SHORT, 1, b"\3\0\0\0")))),
        "many entries": jpeg(image, told(exif(6, before=entry(1, SHORT, 1, bytes(4)) * 3_000))),
        "unreadable EXIF": jpeg(image, told(b"garbage bytes here")),
        "EXIF with a broken mark": jpeg(image, told(broken)),
        "two EXIF, 6 and 3": jpeg(image, told(exif(6)), told(exif(3))),
        "unreadable EXIF, and another": jpeg(image, told(b"garbage bytes here"), told(exif(6))),
        "empty EXIF, and another": jpeg(image, told(nothing), told(exif(6))),
        "EXIF in two parts": jpeg(image, told(exif(6)[:12]), told(exif(6)[12:])),
        "EXIF marked twice": jpeg(image, told(b"Exif\0\0" + exif(6))),
        "EXIF marked with 255": jpeg(image, segment(b"Exif\0\xff" + exif(6))),
        "EXIF before the tables": jpeg(image, told(exif(6)), before=b"\xff\xdb"),
        "EXIF before the scan": jpeg(image, told(exif(6)), before=b"\xff\xda"),
        "EXIF in another segment": jpeg(image, segment(b"Exif\0\0" + exif(6), 0xE2)),
        "XMP": jpeg(image, segment(XMP + xmp(6))),
        "XMP 3, EXIF 6": jpeg(image, segment(XMP + xmp(3)), told(exif(6))),
        "XMP 6, empty EXIF": jpeg(image, told(nothing), segment(XMP + xmp(6))),
    }


XMP = b"http://ns.adobe.com/xap/1.0/\0"


def pngs(image: Image.Image) -> Mapping[str, bytes]:
    """PNGs and APNGs by what they say."""

    def say(data: bytes) -> bytes:
        return chunk(b"eXIf", data)

    digits = (b"Exif\0\0" + exif(6)).hex().encode()
    profile = b"\nexif\n%8d\n" % (len(digits) // 2) + digits + b"\n"
    text = b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(6)
    return {
        **{f"eXIf {number}": png(image, say(exif(number))) for number in range(10)},
        "big-endian eXIf": png(image, say(exif(6, ">"))),
        "eXIf of type LONG": png(image, say(exif(6, kind=LONG))),
        "eXIf with two values": png(image, say(exif(6, count=2))),
        "eXIf marked as in a JPEG": png(image, say(b"Exif\0\0" + exif(6))),
        "unreadable eXIf": png(image, say(b"garbage bytes here")),
        "empty eXIf": png(image, say(b"")),
        "eXIf behind the pixels": png(image, after=say(exif(6))),
        "two eXIf, 6 and 3": png(image, say(exif(6)), say(exif(3))),
        "unreadable eXIf, and another": png(image, say(b"garbage"), say(exif(6))),
        "a profile as text": png(image, chunk(b"tEXt", b"Raw profile type exif\0" + profile)),
        "a profile as packed text": png(
            image, chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(profile))
        ),
        "a profile, and eXIf 3": png(
            image, say(exif(3)), chunk(b"tEXt", b"Raw profile type exif\0" + profile)
        ),
        "XMP": png(image, chunk(b"iTXt", text)),
        "APNG, eXIf 6": png(
            image, say(exif(6)), save_all=True, append_images=[image.rotate(180)], duration=5_000
        ),
        "APNG with a hidden image, eXIf 6": _hidden(image, say(exif(6))),
        "APNG with a hidden image": _hidden(image),
    }


def _hidden(image: Image.Image, *before: bytes) -> bytes:
    data = apng(image.rotate(180), [(image, (0, 0))])
    at = data.index(b"IDAT") - 4
    return data[:at] + b"".join(before) + data[at:]


def avifs(image: Image.Image) -> Mapping[str, bytes]:
    """AVIFs by what they say."""
    size = image.size
    part = clap(size[0] * 5 // 8, size[1], 0, 0, size)
    crops = {
        "crop": clap(size[0] // 2, size[1] // 2, 0, 0, size),
        "crop of odd size": clap(33, 25, 0, 0, size),
        "crop of nothing": clap(*size, 0, 0, size),
        "crop in the middle": clap(32, 24, 16, 12, size),
        "crop beyond the right edge": clap(size[0], size[1], 2, 0, size),
        "crop larger than the image": clap(size[0] + 2, size[1], 0, 0, size),
        "crop of half a pixel": clap(32.5, 24, 0, 0, size),
        "crop of no width": clap(0, 24, 0, 0, size),
        "crop by a zero": part[:12] + bytes(4) + part[16:],
    }
    turns = {
        f"irot {quarters}, imir {axis}": (irot(quarters), *([] if axis is None else [imir(axis)]))
        for quarters in range(4)
        for axis in (None, 0, 1)
    }
    return {
        **{name: avif(image, crop) for name, crop in crops.items()},
        **{name: avif(image, *turn) for name, turn in turns.items()},
        "crop, then turned": avif(image, part, irot(1)),
        "turned, then crop": avif(image, irot(1), part),
        "crop, turned and mirrored": avif(image, part, irot(3), imir(0)),
        "crop of a grid": avif(
            image.resize((256, 128), Image.Resampling.NEAREST),
            clap(160, 128, 0, 0, (256, 128)),
            columns=2,
        ),
        "crop of an animation": moving_avif([image, image.rotate(180)], part),
        "crop of a turned animation": moving_avif([image, image.rotate(180)], part, irot(1)),
        "EXIF 6": avif(image, exif=exif(6)),
        "EXIF 6, irot 2": avif(image, irot(2), exif=exif(6)),
        "EXIF 6 of type LONG, irot 3": avif(image, irot(3), exif=exif(6, kind=LONG)),
        "unreadable EXIF, irot 3": avif(image, irot(3), exif=b"garbage bytes here"),
        "XMP": encoded(image, "AVIF", xmp=xmp(6), quality=95, subsampling="4:4:4"),
    }


def others(image: Image.Image) -> Mapping[str, tuple[bytes, str]]:
    """Bytes and media type of files that browsers never turn, whatever they say."""
    part = image.crop((0, 0, image.width * 3 // 4, image.height * 3 // 4))
    lossless: dict[str, bool] = {"lossless": True}
    return {
        **{
            f"WebP, EXIF {number}": (
                encoded(image, "WEBP", exif=exif(number), **lossless),
                "image/webp",
            )
            for number in range(1, 9)
        },
        "WebP, unreadable EXIF": (
            encoded(image, "WEBP", exif=b"garbage bytes here", **lossless),
            "image/webp",
        ),
        "WebP, XMP": (encoded(image, "WEBP", xmp=xmp(6), **lossless), "image/webp"),
        "GIF": (encoded(image, "GIF"), "image/gif"),
        "GIF, a part of its canvas": (gif(part, image.size, (5, 7)), "image/gif"),
        "BMP": (encoded(image, "BMP"), "image/bmp"),
        "ICO": (
            ico([image.resize((32, 24)), image.resize((200, 150), Image.Resampling.NEAREST)]),
            "image/x-icon",
        ),
    }


def all_of(image: Image.Image) -> Mapping[str, tuple[bytes, str]]:
    """Bytes and media type of every file above, by format and what it says."""
    return {
        **{f"JPEG, {name}": (data, "image/jpeg") for name, data in jpegs(image).items()},
        **{f"PNG, {name}": (data, "image/png") for name, data in pngs(image).items()},
        **{f"AVIF, {name}": (data, "image/avif") for name, data in avifs(image).items()},
        **others(image),
    }
