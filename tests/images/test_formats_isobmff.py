"""The properties of the primary item of AVIF and HEIF files, whole and broken."""

from __future__ import annotations

import io
import struct

import pytest

from captioning.images.formats.isobmff import primary_properties, without_exif
from testing.factories.avif_files import avif, irot, moving_avif
from testing.factories.pictures import encoded, quadrants


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", len(body) + 8) + kind + body


def meta(item: int, ipma: bytes, *properties: bytes) -> bytes:
    """A file whose primary item has this number."""
    pitm = box(b"pitm", struct.pack(">IH", 0, item))
    iprp = box(b"iprp", box(b"ipco", *properties), ipma)
    return box(b"ftyp", b"avif\0\0\0\0avif") + box(b"meta", bytes(4), pitm, iprp)


CLAP, TURN = box(b"clap", bytes(32)), box(b"irot", b"\1")


@pytest.mark.parametrize("file_format", ["AVIF", "HEIF"])
def test_a_real_file_tells_its_size_and_its_colours(file_format: str) -> None:
    file = io.BytesIO(encoded(quadrants(), file_format))
    file.seek(7)
    found = dict(primary_properties(file))
    assert found[b"ispe"] == struct.pack(">III", 0, 400, 300)
    assert found[b"colr"][:4] == b"nclx"
    assert file.tell() == 7


@pytest.mark.parametrize(
    "ipma",
    [
        struct.pack(">IIHBBBHBB", 0, 2, 1, 2, 1, 2, 7, 1, 0x82),
        struct.pack(">IIHBHHHBH", 1, 2, 1, 2, 1, 2, 7, 1, 0x8002),
        struct.pack(">IIIBBBIBB", 1 << 24, 2, 1, 2, 1, 2, 7, 1, 0x82),
        struct.pack(">IIIBHHIBH", (1 << 24) + 1, 2, 1, 2, 1, 2, 7, 1, 0x8002),
    ],
)
def test_only_the_primary_item_counts_in_every_version_of_the_box(ipma: bytes) -> None:
    assert primary_properties(io.BytesIO(meta(7, box(b"ipma", ipma), CLAP, TURN))) == (
        (b"irot", b"\1"),
    )


def test_what_is_cut_off_or_no_such_file_has_none() -> None:
    whole = meta(7, box(b"ipma", struct.pack(">IIHBB", 0, 1, 7, 1, 1)), CLAP, TURN)
    assert primary_properties(io.BytesIO(whole)) == ((b"clap", bytes(32)),)
    for end in range(len(whole)):
        assert primary_properties(io.BytesIO(whole[:end])) == ()
    for other in (b"", b"GIF89a", encoded(quadrants(), "PNG"), bytes(100), b"\xff" * 100):
        assert primary_properties(io.BytesIO(other)) == ()


def test_an_animation_has_the_properties_of_its_track() -> None:
    data = moving_avif([quadrants(64, 48), quadrants(64, 48)], irot(1))
    assert dict(primary_properties(io.BytesIO(data)))[b"irot"] == b"\1"
    for end in range(data.index(b"mdat")):
        primary_properties(io.BytesIO(data[:end]))


def test_only_exif_is_hidden() -> None:
    data = avif(quadrants(64, 48), exif=b"garbage")
    hidden = without_exif(data)
    assert hidden == data.replace(b"Exif", b"skip", 1) != data
    general = data.replace(b"ftypavif", b"ftypmif1")
    assert without_exif(general) == hidden.replace(b"ftypavif", b"ftypmif1")
    for other in (hidden, data[:60], encoded(quadrants(), "HEIF"), b"Exif"):
        assert without_exif(other) is other
