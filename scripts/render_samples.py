"""Renders the samples with text in them: `python scripts/render_samples.py FOLDER`.

Pillow's built-in font makes them the same everywhere.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from PIL import ExifTags, Image, ImageDraw, ImageFilter, ImageFont

SAMPLES = Path(__file__).parent.parent / "samples"
TITLE = "The lighthouse"
PAGE = """\
The lighthouse at the end of the pier was built
in 1874 of grey granite and iron, and its lamp
could be seen for eighteen nautical miles.

For 109 years a keeper climbed its 142 steps
every evening at dusk, trimmed the wick and
wound the clockwork that turned the lens.

The last of them kept a garden of sea kale
between the rocks and wrote down every ship
that passed. Her notebooks are in the harbour
museum, where visitors may read copies at a
table beside the window."""
SIGN = ("HARBOUR BAKERY", "Fresh bread every day")
DOOR = "OPEN 7 - 17"
POSTCARD = ("Greetings from table 12", "the one beside the window")


def font(size: int) -> ImageFont.FreeTypeFont:
    """The built-in font, which Pillow has wherever it has FreeType."""
    found = ImageFont.load_default(size)
    if not isinstance(found, ImageFont.FreeTypeFont):
        raise SystemExit("This Pillow was built without FreeType.")
    return found


def page() -> Image.Image:
    """A printed page on paper that is not quite white."""
    sheet = Image.new("L", (720, 900), 238)
    draw = ImageDraw.Draw(sheet)
    draw.text((70, 80), TITLE, font=font(44), fill=30)
    draw.multiline_text((70, 180), PAGE, font=font(26), fill=45, spacing=18)
    draw.text((360, 850), "17", font=font(20), fill=60, anchor="mm")
    return sheet


def sign() -> Image.Image:
    """A shop front with a painted board and a card on the door."""
    front = Image.new("RGB", (900, 640), "#a5583f")
    draw = ImageDraw.Draw(front)
    bricks = random.Random(1)  # noqa: S311 - the same bricks every time
    for row, top in enumerate(range(0, 640, 20)):
        for left in range(-25 * (row % 2), 900, 50):
            shade = bricks.randrange(-10, 10)
            brick = (160 + shade, 84 + shade, 62 + shade)
            draw.rectangle((left, top, left + 47, top + 17), fill=brick)
    draw.rectangle((40, 60, 860, 220), fill="#1e4035", outline="#d8c48a", width=6)
    draw.text((450, 120), SIGN[0], font=font(72), fill="#f1e3b5", anchor="mm")
    draw.text((450, 185), SIGN[1], font=font(32), fill="#f1e3b5", anchor="mm")
    draw.rectangle((70, 270, 560, 560), fill="#33424a", outline="#1e4035", width=12)
    draw.polygon([(70, 270), (560, 270), (90, 520)], fill="#51646e")  # the sky in the pane
    draw.rectangle((620, 270, 830, 640), fill="#1e4035")
    draw.rectangle((645, 340, 805, 410), fill="#f7f4ea")
    draw.text((725, 375), DOOR, font=font(26), fill="#222222", anchor="mm")
    return front.filter(ImageFilter.GaussianBlur(0.7))


def postcard() -> Image.Image:
    """The cup of coffee as a postcard, upright."""
    card = Image.new("RGB", (490, 430), "#fbf8ef")
    with Image.open(SAMPLES / "coffee.jpg") as coffee:
        card.paste(coffee.resize((450, 300), Image.Resampling.LANCZOS), (20, 20))
    draw = ImageDraw.Draw(card)
    draw.text((245, 354), POSTCARD[0], font=font(32), fill="#24405e", anchor="mm")
    draw.text((245, 396), POSTCARD[1], font=font(24), fill="#24405e", anchor="mm")
    return card


def main(folder: Path) -> None:
    """Writes the three files."""
    page().save(folder / "page.jpg", quality=70)
    sign().save(folder / "sign.jpg", quality=80)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # a camera held sideways: viewers turn it to the right
    sideways = postcard().transpose(Image.Transpose.ROTATE_90)
    sideways.save(folder / "postcard.jpg", quality=85, exif=exif)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES)
