"""The embedded reader: what it reads, where, in which order, and that it makes nothing up."""

from __future__ import annotations

import socket
import subprocess
import sys
from difflib import SequenceMatcher

import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from captioning.domain.record import Box, ImageAnalysis, TextLine
from captioning.embedded.providers.captioner import EmbeddedCaptioner
from captioning.embedded.providers.text_reader import TextReader, in_reading_order
from captioning.embedded.providers.vision import EmbeddedVision
from captioning.images.picture import inspect
from scripts.render_samples import DOOR, PAGE, POSTCARD, SIGN, TITLE, font, page
from testing.factories.pictures import UNDO, encoded
from testing.factories.renditions import sample
from testing.paths import ON_CI, SAMPLES

VISION = EmbeddedVision(features=("read",))
PHOTOS = ["astronaut.jpg", "camera.jpg", "cat.jpg", "coffee.jpg", "rocket.jpg"]


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return TextReader()


def card(*lines: str, size: int = 40, ink: str = "black", paper: str = "white") -> Image.Image:
    """Lines on a card of 600 x 400, from 40 px on, 100 px apart."""
    image = Image.new("RGB", (600, 400), paper)
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((40, 40 + 100 * number), line, font=font(size), fill=ink)
    return image


def read(reader: TextReader, image: Image.Image) -> list[str]:
    return [line.text for line in reader.lines(image)]


def seen(data: bytes) -> ImageAnalysis:
    """As the app looks at a file."""
    rendition = inspect(data).for_service(VISION.limits)
    return rendition.to_stored(VISION.analyze(rendition))


def assert_near(box: Box, expected: Box, pixels: int) -> None:
    corners = (box[0], box[1], box[0] + box[2], box[1] + box[3])
    wanted = (*expected[:2], expected[0] + expected[2], expected[1] + expected[3])
    assert all(abs(a - b) <= pixels for a, b in zip(corners, wanted, strict=True)), (box, expected)


def test_a_page_is_read_without_a_fault() -> None:
    lines = [line.text for line in VISION.analyze(sample("page.jpg")).text]
    assert lines == [TITLE, *(line for line in PAGE.split("\n") if line), "17"]


def test_a_sign_is_read_where_it_is() -> None:
    lines = VISION.analyze(sample("sign.jpg")).text
    assert [line.text for line in lines] == [*SIGN, DOOR]
    assert_near(lines[0].box, (150, 95, 600, 52), 14)
    assert_near(lines[2].box, (650, 363, 150, 24), 10)


def test_a_picture_that_is_stored_sideways_is_read_upright() -> None:
    image = seen((SAMPLES / "postcard.jpg").read_bytes())
    assert (image.width, image.height) == (490, 430)
    assert [line.text for line in image.text] == list(POSTCARD)
    for line, middle in zip(image.text, (354, 396), strict=True):
        assert abs(line.box[1] + line.box[3] / 2 - middle) <= 6
        assert abs(line.box[0] + line.box[2] / 2 - 245) <= 6


@pytest.mark.parametrize("orientation", range(2, 9))
def test_every_orientation_gives_the_same_lines(orientation: int) -> None:
    upright = card("Fresh bread", "every day")
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = encoded(upright.transpose(UNDO[orientation]), "PNG", exif=exif)
    turned, plain = seen(stored), seen(encoded(upright, "PNG"))
    assert (turned.width, turned.height) == (plain.width, plain.height) == (600, 400)
    assert [line.text for line in turned.text] == [line.text for line in plain.text]
    for line, expected in zip(turned.text, plain.text, strict=True):
        assert_near(line.box, expected.box, 2)  # a half turn is sent as a JPEG
    assert len(plain.text) == 2


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("scale", [1.0, 0.7, 2.0])
def test_nothing_is_read_where_nothing_is_written(
    name: str, scale: float, reader: TextReader
) -> None:
    with Image.open(SAMPLES / name) as picture:
        image = picture.convert("RGB")
    if max(image.size) * scale <= 1_024:
        image = image.resize((round(image.width * scale), round(image.height * scale)))
    assert reader.lines(image) == ()


@pytest.mark.parametrize("color", ["white", "black", "teal"])
def test_an_empty_picture_has_no_text(color: str, reader: TextReader) -> None:
    assert reader.lines(Image.new("RGB", (400, 300), color)) == ()


@pytest.mark.parametrize("size", [(50, 50), (50, 1_024), (1_024, 50)])
def test_a_tiny_or_narrow_picture_does_no_harm(size: tuple[int, int], reader: TextReader) -> None:
    assert reader.lines(Image.new("RGB", size, "white")) == ()


@pytest.mark.parametrize("mark", ["O", "8", "…", "* * *"])
def test_less_than_two_letters_or_digits_are_no_text(mark: str, reader: TextReader) -> None:
    assert reader.lines(card(mark, size=120)) == ()


def test_hard_print_is_read_nearly(reader: TextReader) -> None:
    """Small, pale on coloured paper, blurred and aslant."""
    text = "Platform 4 is closed today"
    image = card(text, size=22, ink="#604020", paper="#c8a060").rotate(7, fillcolor="#c8a060")
    found = " ".join(read(reader, image.filter(ImageFilter.GaussianBlur(1))))
    assert SequenceMatcher(None, text, found).ratio() > 0.9


def test_text_below_what_can_be_made_out_is_left_out(reader: TextReader) -> None:
    assert reader.lines(card("Nobody can read that", size=24).resize((60, 50))) == ()


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_turned_text_is_read_and_ordered_by_place(angle: int, reader: TextReader) -> None:
    """A line on its side or head is read; its neighbours come in the order of the picture, which
    is not that of the text."""
    lines = ["Fresh bread", "every day"]
    found = read(reader, card(*lines).rotate(angle, expand=True))
    assert sorted(found) == sorted(lines)
    assert found == (lines if angle == 90 else lines[::-1])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Größe überprüfen", ["Größe überprüfen"]),
        ("Zażółć gęślą jaźń", ["Zażółć gęślą jaźń"]),
        ("Привет, мир", []),
        ("Καλημέρα κόσμε", []),
        ("שלום עולם", []),
        ("مرحبا بالعالم", []),
    ],
)
def test_scripts_that_it_does_not_know_are_left_out(
    text: str, found: list[str], reader: TextReader
) -> None:
    """It knows Latin letters with their accents; Chinese and Japanese are not tried here."""
    try:
        dejavu = ImageFont.truetype("DejaVuSans.ttf", 40)
    except OSError:
        if ON_CI:
            raise
        pytest.skip("DejaVu Sans is not installed (on Debian the package fonts-dejavu-core)")
    image = card()
    ImageDraw.Draw(image).text((40, 60), text, font=dejavu, fill="black")
    assert read(reader, image) == found


def test_other_output_than_lines_stays_away(capfd: pytest.CaptureFixture[str]) -> None:
    fresh = TextReader()
    fresh.lines(card("Fresh bread"))
    fresh.lines(Image.new("RGB", (100, 100)))
    fresh.close()
    assert capfd.readouterr() == ("", "")


def test_nothing_is_looked_up_or_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    fresh = TextReader()
    assert read(fresh, card("Fresh bread")) == ["Fresh bread"]
    fresh.close()


def test_the_models_are_loaded_at_the_first_picture() -> None:
    code = (
        "import sys; from captioning.embedded.providers.vision import EmbeddedVision as V; v = V();"
        "v.identity, v.limits; v.close();"
        "sys.exit(any(name in sys.modules for name in ('cv2', 'rapidocr', 'onnxruntime')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_photo_of_twelve_megapixels_is_read_at_a_smaller_size() -> None:
    image = page().resize((3_000, 4_000))
    lines = seen(encoded(image, "JPEG")).text
    assert [line.text for line in lines][:2] == [TITLE, PAGE.split("\n")[0]]
    assert_near(lines[0].box, (290, 380, 1_250, 200), 60)


def test_the_order_is_by_rows_from_the_left() -> None:
    boxes: dict[str, Box] = {
        "right": (300, 12, 100, 20),
        "left": (10, 20, 100, 22),
        "below": (10, 44, 100, 20),
        "slanted": (120, 50, 100, 20),
        "last": (0, 90, 400, 20),
    }
    lines = [TextLine(name, box) for name, box in reversed(boxes.items())]
    ordered = [line.text for line in in_reading_order(lines)]
    assert ordered == ["left", "right", "below", "slanted", "last"]


def test_a_tall_line_does_not_swallow_the_rows_beside_it() -> None:
    tall, rows = TextLine("tall", (0, 0, 20, 200)), range(0, 200, 40)
    lines = [TextLine(str(top), (50, top, 300, 20)) for top in rows]
    found = [line.text for line in in_reading_order([tall, *lines]) if line is not tall]
    assert found == [str(top) for top in rows]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sign.jpg", f"Text reading “{' '.join([*SIGN, DOOR])}”."),
        ("page.jpg", "Text reading “The lighthouse The lighthouse at the end of the pier was"),
        ("postcard.jpg", "Espresso."),
    ],
)
def test_a_caption_says_what_was_read_where_nothing_was_seen(name: str, said: str) -> None:
    evidence = EmbeddedVision().analyze(sample(name))
    assert EmbeddedCaptioner().caption(None, evidence).texts["en"].caption.startswith(said)
