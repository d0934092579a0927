"""Pairs of documents that look alike and differ in their text, in Pillow's built-in font."""

from __future__ import annotations

import random
from collections.abc import Callable

from PIL import Image, ImageDraw

from captioning.config.definitions import SETTINGS
from scripts.render_samples import font

WORDS = " ".join(setting.help for setting in SETTINGS).split()
GOODS = ("Milk", "Bread", "Eggs", "Apples", "Tea", "Rice", "Butter", "Cheese")
PAIRS = 12


def page(seed: int, size: int = 24) -> Image.Image:
    """A page of prose; all have the same margins, title and lines."""
    drawn, image = random.Random(seed), Image.new("RGB", (720, 960), "white")
    draw = ImageDraw.Draw(image)
    draw.text((60, 40), "Report", font=font(48), fill="black")
    for top in range(130, 900, size * 3 // 2):
        line = " ".join(drawn.choices(WORDS, k=30))
        draw.text((60, top), line[: 1_100 // size], font=font(size), fill="black")
    return image


def slide(seed: int) -> Image.Image:
    """A slide with a title and four points; all have the same layout."""
    drawn, image = random.Random(seed), Image.new("RGB", (960, 540), "#f4f4f8")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 960, 90), fill="#203060")
    draw.text((40, 20), " ".join(drawn.sample(WORDS, 3))[:30], font=font(40), fill="white")
    for number in range(4):
        point = " ".join(drawn.sample(WORDS, 4))[:38]
        draw.text((80, 150 + 80 * number), f"- {point}", font=font(30), fill="#202020")
    return image


def receipt(seed: int) -> Image.Image:
    """A receipt; all are of one shop, with different goods and prices."""
    drawn, image = random.Random(seed), Image.new("RGB", (400, 900), "#f8f6f0")
    draw = ImageDraw.Draw(image)
    draw.text((100, 40), "CORNER SHOP", font=font(28), fill="#222222")
    for top in range(120, 760, 40):
        draw.text((40, top), drawn.choice(GOODS), font=font(24), fill="#333333")
        draw.text((290, top), f"{drawn.uniform(0.5, 20):5.2f}", font=font(24), fill="#333333")
    return image


def sign(seed: int) -> Image.Image:
    """A sign; all have the same board, with different numbers."""
    image = Image.new("RGB", (900, 640), "#88aacc")
    draw = ImageDraw.Draw(image)
    draw.rectangle((150, 150, 750, 450), fill="#f2e6c8", outline="#553311", width=12)
    draw.text((450, 300), f"Exit {seed + 10}", font=font(80), fill="#552211", anchor="mm")
    return image


def form(seed: int) -> Image.Image:
    """A form; all have the same fields, filled in differently."""
    drawn, image = random.Random(seed), Image.new("RGB", (720, 960), "white")
    draw = ImageDraw.Draw(image)
    for number, label in enumerate(("Name", "Street", "Town", "Born", "Signed")):
        top = 150 + 140 * number
        draw.text((60, top), label, font=font(26), fill="#444444")
        draw.line((60, top + 80, 660, top + 80), fill="#888888", width=2)
        draw.text(
            (200, top + 40), " ".join(drawn.sample(WORDS, 2))[:20], font=font(28), fill="#113"
        )
    return image


KINDS: dict[str, Callable[[int], Image.Image]] = {
    "pages of prose": page,
    "pages in small print": lambda seed: page(seed, 14),
    "slides in one layout": slide,
    "receipts of one shop": receipt,
    "signs with another number": sign,
    "forms, filled in": form,
}


def pairs(kind: str) -> list[tuple[Image.Image, Image.Image]]:
    """PAIRS pairs of documents of a kind."""
    make = KINDS[kind]
    return [(make(2 * number), make(2 * number + 1)) for number in range(PAIRS)]
