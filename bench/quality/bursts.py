"""How well near-identical frames are recognized: samples, parts of them, and edits of both.

python -m bench.quality.bursts
"""

from __future__ import annotations

import io
import itertools
import time
from collections.abc import Callable, Iterable
from functools import partial

from PIL import Image, ImageDraw, ImageEnhance

from bench.quality.burst_documents import KINDS, pairs
from captioning.embedded.providers.text_reader import TextReader
from captioning.images.likeness import is_near, sketch
from captioning.images.picture import PREVIEW_SIDE, inspect
from scripts.render_samples import font
from testing.factories.burst_frames import moved, noisy, sample, with_object
from testing.factories.pictures import encoded

PHOTOS = ("astronaut", "camera", "cat", "coffee", "rocket")
WITH_TEXT = ("page", "postcard", "sign")
PART = 0.6
Edit = Callable[[Image.Image], Image.Image]


def parts(image: Image.Image) -> list[Image.Image]:
    """The picture and its four corners, which overlap."""
    width, height = image.size
    w, h = int(width * PART), int(height * PART)
    corners = itertools.product((0, width - w), (0, height - h))
    return [image, *(image.crop((x, y, x + w, y + h)) for x, y in corners)]


def cropped(image: Image.Image, left: float, top: float, right: float, low: float) -> Image.Image:
    """The picture with its edges cut off, in the same size."""
    width, height = image.size
    box = (left * width, top * height, (1 - right) * width, (1 - low) * height)
    return image.resize(image.size, Image.Resampling.BICUBIC, box=box)


def turned(image: Image.Image, degrees: float) -> Image.Image:
    """The picture rotated slightly, as a hand moves. Its corners are cut off, as those of the frame
    before."""
    return moved(image.rotate(degrees, Image.Resampling.BICUBIC))


def light(image: Image.Image, factor: float) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(factor)


def warmer(image: Image.Image) -> Image.Image:
    red, green, blue = image.split()
    return Image.merge("RGB", (red.point(lambda v: v * 1.1), green, blue.point(lambda v: v * 0.8)))


def written(image: Image.Image, height: float) -> Image.Image:
    """The picture with a word on it, whose letters have this share of its height."""
    changed, size = image.copy(), max(8, int(image.height * height))
    place = (image.width // 10, image.height // 10)
    ImageDraw.Draw(changed).text(place, "Closed", font=font(size), fill="#f0f0f0")
    return changed


def saved(image: Image.Image, quality: int) -> Image.Image:
    return Image.open(io.BytesIO(encoded(image, "JPEG", quality=quality))).convert("RGB")


def at_once(image: Image.Image) -> Image.Image:
    """The next frame of a hand-held camera."""
    return saved(light(noisy(moved(image.rotate(0.3), 0.006, -0.005)), 1.02), 85)


FRAMES: dict[str, tuple[Edit, Edit]] = {
    "JPEG quality 40": (moved, lambda image: saved(moved(image), 40)),
    "exposure +5 %": (moved, lambda image: light(moved(image), 1.05)),
    "exposure -5 %": (moved, lambda image: light(moved(image), 0.95)),
    "noise of a dim room": (moved, lambda image: noisy(moved(image), 8)),
    "moved by 0.5 %": (moved, partial(moved, right=0.005, down=0.005)),
    "moved by 1 %": (moved, partial(moved, right=0.01, down=0.01)),
    "moved by 2 %": (moved, partial(moved, right=0.02)),
    "zoomed by 2 %": (moved, lambda image: cropped(moved(image), 0.01, 0.01, 0.01, 0.01)),
    "turned by 0.5 degrees": (moved, partial(turned, degrees=0.5)),
    "turned by 1 degree": (moved, partial(turned, degrees=1.0)),
    "the next frame: 0.6 %, 0.3 degrees, noise, light": (lambda i: noisy(moved(i)), at_once),
}
"""How the first frame and the next are made, by name."""
OTHERS: dict[str, Edit] = {
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "8 % cut off two sides": partial(cropped, left=0.08, top=0.08, right=0.0, low=0.0),
    "15 % cut off two sides": partial(cropped, left=0.15, top=0.15, right=0.0, low=0.0),
    "by night": partial(light, factor=0.4),
    "20 % darker": partial(light, factor=0.8),
    "in warm light": warmer,
    **{
        f"an object on {area:g} % of it, {colour}": partial(
            with_object, area=area / 100, colour=colour
        )
        for area, colour in itertools.product((0.5, 1, 2, 5, 10), ("gray", "darkgreen", "red"))
    },
    "a word on it, 4 % high": partial(written, height=0.04),
    "a word on it, 8 % high": partial(written, height=0.08),
    "a word on it, 15 % high": partial(written, height=0.15),
}


def near(first: Image.Image, second: Image.Image) -> bool:
    """Whether the app recognizes the two as near-identical."""
    one, other = (inspect(encoded(image, "JPEG", quality=90)) for image in (first, second))
    return is_near(one.sketch(), other.sketch())


def grouped(images: Iterable[tuple[Image.Image, Image.Image]]) -> str:
    found = [near(*pair) for pair in images]
    return f"{sum(found)} of {len(found)}"


def report(photos: list[Image.Image], reader: TextReader) -> None:
    """Prints three tables."""
    print("| near-identical | grouped |\n|---|---|")
    for name, (first, then) in FRAMES.items():
        print(f"| {name} | {grouped((first(image), then(image)) for image in photos)} |")
    print("\n| not the same | grouped |\n|---|---|")
    for name, edit in OTHERS.items():
        print(f"| {name} | {grouped((image, edit(image)) for image in photos)} |")
    alike = [image.resize((600, 400)) for image in photos]
    print(f"| two of these pictures | {grouped(itertools.combinations(alike, 2))} |")
    print("\n| documents | alike by their pixels | of the first, text is read | grouped |")
    print("|---|---|---|---|")
    texts = {f"the sample {name}.jpg, moved by 1 %": shaken(name) for name in WITH_TEXT}
    for name, both in {**{name: pairs(name) for name in KINDS}, **texts}.items():
        found = [(near(*pair), bool(reader.lines(pair[0]))) for pair in both]
        alike_, read = (sum(column) for column in zip(*found, strict=True))
        shared = sum(is_alike and not is_read for is_alike, is_read in found)
        print(f"| {name} | {alike_} of {len(found)} | {read} | {shared} |")


def shaken(name: str) -> list[tuple[Image.Image, Image.Image]]:
    return [(moved(sample(name)), moved(sample(name), 0.01))]


def pace() -> None:
    """Prints milliseconds of one thread; the best of many, to exclude the load of the machine."""
    preview = sample("sign").resize((PREVIEW_SIDE, PREVIEW_SIDE * 3 // 4))
    made = sketch(preview)
    for name, call in (
        ("a sketch", lambda: sketch(preview)),
        ("a comparison", lambda: is_near(made, made)),
    ):
        best = min(_seconds(call) for _ in range(200))
        print(f"{name} of a {preview.width} x {preview.height} preview: {best * 1e3:.2f} ms")


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    reader = TextReader()
    everything = [part for name in PHOTOS for part in parts(sample(name))]
    # The app does not share captions of pictures with text; these are among the documents.
    report([image for image in everything if not reader.lines(image)], reader)
    print()
    pace()
