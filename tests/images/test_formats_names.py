"""What cannot be read is named, and a cut file of a known format is corrupt."""

from __future__ import annotations

import pytest

from captioning.errors import CorruptImage, UnsupportedFormat
from captioning.images.formats.jpeg import END
from captioning.images.picture import check_header, inspect, thumbnail
from testing.factories.broken_pictures import avif_with_two_associations, masked_bmp
from testing.factories.pictures import RED, encoded, is_upright, opened, quadrants
from testing.images import preview

JPEG = encoded(quadrants(), "JPEG")
SOF = JPEG.index(b"\xff\xc0")
AVIF = encoded(quadrants(), "AVIF")
MATRIX = AVIF.index(b"colrnclx") + 12
NAMED = {
    "a 12-bit JPEG": JPEG[: SOF + 4] + b"\x0c" + JPEG[SOF + 5 :],
    "a lossless JPEG": JPEG[: SOF + 1] + b"\xc3" + JPEG[SOF + 2 :],
    "a JPEG XL": b"\0\0\0\x0cJXL \r\n\x87\n",
    "a JPEG XL,": b"\xff\x0a" + bytes(50),
    "a Photoshop file": b"8BPS\0\1" + bytes(20),
    "a cursor": b"\0\0\2\0\1\0" + bytes(20),
    "a video": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
    "a video,": b"\x1aE\xdf\xa3" + bytes(20),
    "a HEIC sequence": b"\0\0\0\x18ftypmsf1\0\0\0\0msf1hevc",
    "an OpenEXR file": b"\x76\x2f\x31\x01\2\0\0\0",
    "an AVIF with colours as constant luminance": AVIF[:MATRIX] + b"\0\x0a" + AVIF[MATRIX + 2 :],
    "a PDF": b"%PDF-1.7\n",
    "text": b"Dear diary",
    "of an unknown kind": b"\x99\x98" + bytes(30),
}


@pytest.mark.parametrize("words", NAMED)
def test_a_format_that_is_not_read_is_named(words: str) -> None:
    for read in (inspect, lambda data: check_header(data, 1)):
        with pytest.raises(UnsupportedFormat, match=f"^The content is {words}.* Convert it"):
            read(NAMED[words])


@pytest.mark.parametrize("width", [48, 400, 1200])
@pytest.mark.parametrize("share", [0.98, 0.5, 0.1])
@pytest.mark.parametrize(
    "file_format",
    ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "HEIF", "AVIF", "JPEG2000"],
)
def test_a_cut_file_is_corrupt(file_format: str, share: float, width: int) -> None:
    options = {"irreversible": True} if file_format == "JPEG2000" else {}
    data = encoded(quadrants(width, width * 3 // 4), file_format, **options)
    kept = min(int(len(data) * share), len(data) - 24)  # of a tiny PNG more than its end
    with pytest.raises(CorruptImage):
        inspect(data[:kept])


@pytest.mark.parametrize("width", [48, 400, 1200, 4000])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_may_lack_its_end_but_no_pixel(width: int, *, progressive: bool) -> None:
    jpeg = encoded(quadrants(width, width * 3 // 4), "JPEG", progressive=progressive)
    assert jpeg.endswith(END)
    for unended in (jpeg[:-2], jpeg[:-1]):
        assert is_upright(preview(unended))
        assert is_upright(opened(thumbnail(unended, 40)))
    for cut in (20, len(jpeg) // 10, len(jpeg) // 2):
        with pytest.raises(CorruptImage):
            inspect(jpeg[:-cut])


def test_further_pictures_in_a_jpeg_are_no_frames() -> None:
    stereo = encoded(quadrants(), "MPO", save_all=True, append_images=[quadrants(200, 150)])
    picture, header = inspect(stereo), check_header(stereo, 1)
    assert (picture.format, picture.frames, header.media_type) == ("JPEG", 1, "image/jpeg")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "YCbCr", "CMYK", "I;16"])
@pytest.mark.parametrize("bare", [False, True])
def test_jpeg_2000(mode: str, *, bare: bool) -> None:
    image = quadrants().convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = image.convert("I").point(lambda level: level * 257).convert("I;16")
    picture = inspect(encoded(image, "JPEG2000", no_jp2=bare))
    assert (picture.format, picture.width) == ("JPEG2000", 400)
    if mode in {"L", "LA", "I;16"}:
        assert [preview(picture.data).getpixel(at) for at in ((9, 9), (390, 290))] == [
            (76, 76, 76),
            (255, 255, 255),
        ]
    elif mode not in {"CMYK", "YCbCr"} or not bare:  # which a bare codestream does not say
        assert is_upright(preview(picture.data))


@pytest.mark.parametrize("upward", [True, False])
@pytest.mark.parametrize(
    ("bits", "masks"),
    [
        (16, (0xF00, 0xF0, 0xF)),
        (16, (0xF00, 0xF0, 0xF, 0xF000)),
        (16, (0xE000, 0x1C00, 0x300)),
        (32, (0x3FF00000, 0xFFC00, 0x3FF)),
        (32, (0xFF, 0xFF00, 0xFF0000)),
    ],
)
def test_any_bit_masks_of_a_bmp(bits: int, masks: tuple[int, ...], *, upward: bool) -> None:
    for width in (40, 41):
        picture = inspect(masked_bmp(quadrants(width, 30), masks, bits, upward=upward))
        assert (picture.format, picture.width, picture.height) == ("BMP", width, 30)
        assert is_upright(preview(picture.data))


def test_an_avif_with_several_boxes_of_associations() -> None:
    image = quadrants().convert("RGBA")
    image.putpixel((0, 0), (*RED, 0))
    data = avif_with_two_associations(image)
    assert data.count(b"ipma") == 2
    picture = inspect(data)
    assert (picture.format, picture.width) == ("AVIF", 400)
    assert is_upright(preview(picture.data))
    assert preview(picture.data).getpixel((0, 0)) != RED
