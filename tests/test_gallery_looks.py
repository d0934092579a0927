"""How the gallery looks and is used: without a mouse, by screen readers, in light and dark, on
small windows, and with thousands of images. Writes screenshots for people to look at."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from captioning.models import record_id
from tests.azurite import ROOT
from tests.gallery_page import NARROW, WIDE, GalleryPage, dress, gallery_page, sample
from tests.records import short
from tests.running_app import RunningApp
from tests.test_gallery import EMBEDDED

AXE = (ROOT / "node_modules/axe-core/axe.min.js").read_text("utf-8")
NAMES = ["cat", "coffee", "rocket", "camera", "astronaut"]
RUN_AXE = """async () => {
  const found = await axe.run(document);
  return found.violations.map(v => [v.id, v.help, v.nodes.map(n => n.target.join(" ") + ": " + n.failureSummary)]);
}"""
COUNT = 5_000
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def app(azurite: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """The samples, and a file that is no image."""
    folder, name = tmp_path_factory.mktemp("gallery"), f"l{uuid.uuid4().hex[:12]}"
    with RunningApp("embedded", azurite, folder, name, settings=EMBEDDED) as running:
        for each in NAMES:
            running.upload(f"samples/{each}.jpg", sample(each))
        running.upload("notes.txt", b"Dear diary.")
        for each in NAMES:
            running.record(f"samples/{each}.jpg")
        running.record("notes.txt")
        yield running


def colourful(record: dict[str, Any]) -> None:
    """Gives records what services that are not embedded would have found."""
    if record["path"] == "samples/camera.jpg":
        record |= {"status": "deferred", "caption": None}
        record["error"] = {
            "code": "throttled",
            "message": "The service is busy. The image is tried again.",
            "attempts": 3,
            "retry_at": "2026-11-22T10:35:00Z",
            "since": "2026-11-22T10:00:00Z",
        }
    if record["path"] == "samples/rocket.jpg":
        record |= {"status": "processing", "caption": None, "note": None, "review": "none"}
    if record["path"] == "samples/astronaut.jpg":
        record |= {"caption": "رائدة فضاء تبتسم أمام علم.", "language": "ar", "note": None}
    if record["path"] == "samples/coffee.jpg":
        record |= {
            "caption": "An espresso in a red cup on a wooden table beside a spoon.",
            "alt_text": "Espresso in a red cup.",
            "description": "A red cup of espresso stands on its saucer, with a spoon, on a table.",
            "objects": [
                {"name": "cup", "confidence": 0.93, "box": [70, 30, 300, 260]},
                {"name": "spoon", "confidence": 0.71, "box": [330, 180, 160, 150]},
            ],
            "text": [{"text": "CAFFÈ", "box": [180, 150, 110, 40]}],
            "support": {"score": 0.8, "unsupported": ["wooden"]},
            "translations": {
                "de": {
                    "caption": "Ein Espresso in roter Tasse.",
                    "alt_text": "Espresso in roter Tasse.",
                    "description": "",
                }
            },
        }


def open_grid(gallery: GalleryPage) -> None:
    gallery.open()
    expect(gallery.page.locator("#grid img.loaded")).to_have_count(len(NAMES))


def open_image(gallery: GalleryPage) -> None:
    gallery.open_image("samples/coffee.jpg")
    expect(gallery.page.locator(".stage img.loaded")).to_be_visible()
    gallery.page.locator(".finding").first.focus()


def open_rejected(gallery: GalleryPage) -> None:
    gallery.open_image("notes.txt")


def open_usage(gallery: GalleryPage) -> None:
    gallery.page.route("**/api/usage*", spent)
    gallery.open("?view=usage")
    expect(gallery.page.locator("#usage-table tbody tr")).to_have_count(8)


def spent(route: Route) -> None:
    """A week of work under a budget."""
    response = route.fetch()
    document = response.json()
    for number, day in enumerate(document["days"]):
        day |= {"images": 40 * (number % 4) + 9, "captioned": 40 * (number % 4) + 9}
        day |= {"reused": 7 * (number % 3), "input_tokens": 90_000 * (number % 4)}
        day |= {"usd": 0.13 * (number % 4) + 0.02, "saved_usd": 0.02 * (number % 3)}
    document["budget"] |= {"daily_usd": 1.0, "spent_today_usd": 0.41}
    route.fulfill(response=response, body=json.dumps(document))


def open_empty(gallery: GalleryPage) -> None:
    gallery.page.route(
        "**/api/captions?*", lambda route: route.fulfill(json={"items": [], "next": None})
    )
    gallery.open()
    expect(gallery.page.locator("#empty")).to_be_visible()


def open_uploads(gallery: GalleryPage) -> None:
    gallery.open()
    gallery.drop(("diary.txt", b"Dear diary."), ("samples/cat.jpg", sample("cat")))
    expect(gallery.page.locator("#uploads-list .refused")).to_have_count(2)
    gallery.page.locator("#more-filters summary").click()


def open_key(gallery: GalleryPage) -> None:
    gallery.page.route("**/api/captions*", lambda route: route.fulfill(status=401, body=""))
    gallery.open()
    expect(gallery.page.locator("#key")).to_be_visible()


VIEWS: dict[str, Callable[[GalleryPage], None]] = {
    "grid": open_grid,
    "image": open_image,
    "rejected": open_rejected,
    "usage": open_usage,
    "empty": open_empty,
    "uploads": open_uploads,
    "key": open_key,
}


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_accessible_in_light_and_dark(
    browser: Browser, app: RunningApp, view: str
) -> None:
    """axe-core finds nothing, and nothing is wider than the window."""
    with gallery_page(browser, app, reduced_motion="reduce") as gallery:
        page = gallery.page
        dress(page, colourful)
        VIEWS[view](gallery)
        page.evaluate(AXE)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(RUN_AXE) == []
            gallery.shot(f"{view}-{scheme}-{WIDE[0]}")
        page.emulate_media(color_scheme="light")
        for width in (NARROW[0], 320):
            page.set_viewport_size({"width": width, "height": NARROW[1]})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert not page.evaluate(
                "document.querySelector('dialog[open]')?.scrollWidth > innerWidth"
            )
            if width == NARROW[0]:
                assert page.evaluate(RUN_AXE) == []
                gallery.shot(f"{view}-{scheme_of(page)}-{width}")


def scheme_of(page: Page) -> str:
    is_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    return "dark" if is_dark else "light"


def test_everything_is_reached_without_a_mouse(browser: Browser, app: RunningApp) -> None:
    with gallery_page(browser, app) as gallery:
        page = gallery.page
        open_grid(gallery)
        expect(page.locator("#grid .card")).to_have_count(6)
        seen = []
        for _ in range(10):
            page.keyboard.press("Tab")
            seen.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
            outline = page.evaluate("outlineOf = getComputedStyle(document.activeElement.closest('label') ?? document.activeElement).outlineStyle")
            assert outline != "none", seen
        assert seen[1:9] == [
            *("home", "search", "tag", ""),
            *("pick-files", "pick-folder", "usage-link", ""),
        ]
        page.keyboard.press("Home")
        first = page.evaluate("document.activeElement.dataset.id")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        second = page.evaluate("document.activeElement.dataset.id")
        assert second != first
        page.keyboard.press("Enter")
        expect(page.locator("#image-body")).to_be_visible()
        assert page.evaluate("document.activeElement.id") == "image-title"
        page.keyboard.press("Escape")
        expect(page.locator("#image")).to_be_hidden()
        assert page.evaluate("document.activeElement.dataset.id") == second
        page.keyboard.press("Enter")
        for _ in range(3):
            page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "image-close"
        page.keyboard.press("Enter")
        expect(page.locator("#image")).to_be_hidden()


def test_texts_run_their_own_way(browser: Browser, app: RunningApp) -> None:
    with gallery_page(browser, app) as gallery:
        dress(gallery.page, colourful)
        open_grid(gallery)
        arabic = gallery.page.locator("#grid .caption[lang=ar]")
        assert arabic.evaluate("it => getComputedStyle(it).direction") == "rtl"
        english = gallery.page.locator("#grid .caption", has_text="A cat.")
        assert english.evaluate("it => getComputedStyle(it).direction") == "ltr"


def thousands(route: Route) -> None:
    """5,000 images in pages, some of which are short or empty and have a next."""
    query = parse_qs(urlsplit(route.request.url).query)
    start, limit = int(query.get("cursor", ["0"])[0]), int(query["limit"][0])
    end = min(COUNT, start + (0 if start % 7 == 3 else limit - start % 5))
    items = [short(f"many/{number}.jpg").to_json() for number in range(start, end)]
    position = end if end > start else end + 1  # only in this list: an empty page goes on too
    more = str(position) if end < COUNT else None
    route.fulfill(json={"items": items, "next": more})


FRAMES = """async () => {
  let last = performance.now(), dropped = 0, frames = 0;
  const budget = 1000 / 60;
  while (true) {
    const now = await new Promise(requestAnimationFrame);
    frames += 1;
    dropped += Math.max(0, Math.round((now - last) / budget) - 1);
    last = now;
    const before = scrollY;
    scrollBy(0, 900);
    const isEnd = document.querySelector("#count").textContent === COUNT_TEXT;
    if (isEnd && scrollY === before) return [frames, dropped];
  }
}"""


def test_the_document_stays_small_with_thousands_of_images(
    browser: Browser, app: RunningApp, capsys: pytest.CaptureFixture[str]
) -> None:
    with gallery_page(browser, app) as gallery:
        page = gallery.page
        page.route("**/api/captions?*", thousands)
        page.route("**/api/images/**", lambda route: route.fulfill(body=PIXEL, content_type="image/png"))
        gallery.open()
        expect(page.locator("#grid .card").first).to_be_visible()
        began = time.monotonic()
        frames, dropped = page.evaluate(FRAMES.replace("COUNT_TEXT", f'"{COUNT - missing()} images"'))
        nodes = page.evaluate("document.querySelectorAll('*').length")
        with capsys.disabled():
            print(
                f"\n{COUNT} images scrolled in {time.monotonic() - began:.1f} s:"
                f" {dropped} of {frames + dropped} frames dropped, {nodes} elements"
            )
        assert nodes < 1_000
        expect(page.locator(f"[data-id='{record_id(f'many/{COUNT - 1}.jpg')}']")).to_be_attached()
        page.evaluate("scrollTo(0, 0)")
        expect(page.locator(f"[data-id='{record_id('many/0.jpg')}']")).to_be_attached()


def missing() -> int:
    """Images that the empty pages of `thousands` skip."""
    start = skipped = 0
    while start < COUNT:
        if start % 7 == 3:
            start, skipped = start + 1, skipped + 1
        else:
            start = min(COUNT, start + 60 - start % 5)
    return skipped


def test_the_first_view_is_small(
    browser: Browser, app: RunningApp, capsys: pytest.CaptureFixture[str]
) -> None:
    with gallery_page(browser, app) as gallery:
        page, sizes = gallery.page, {}
        page.on("requestfinished", lambda request: sizes.update({request.url: request.sizes()}))
        open_grid(gallery)
        own = {url: size["responseBodySize"] for url, size in sizes.items() if "/api/" not in url}
        with capsys.disabled():
            print(
                f"\nfirst view: {len(sizes)} requests, of these {len(own)} for the page itself;"
                f" {sum(own.values()) / 1000:.0f} kB of {sum(s['responseBodySize'] for s in sizes.values()) / 1000:.0f} kB"
            )
        assert len(own) < 40
        assert sum(own.values()) < 120_000
