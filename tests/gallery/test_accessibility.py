"""How the gallery looks and is used: without a mouse, by screen readers, in light and dark, on
small windows. Writes screenshots for people to look at."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from testing.harness.gallery_page import (
    NARROW,
    PATIENCE,
    SAMPLE_NAMES,
    WIDE,
    GalleryPage,
    dress,
    gallery_page,
    sample,
)
from testing.harness.running_app import RunningApp
from testing.paths import ROOT

AXE = (ROOT / "node_modules/axe-core/axe.min.js").read_text("utf-8")
RUN_AXE = """async () => {
  const found = await axe.run(document);
  return found.violations.map(it => [it.id, it.nodes.map(at => at.failureSummary + at.target)]);
}"""
OUTLINE = """getComputedStyle(document.activeElement.closest("label") ?? document.activeElement)
  .outlineStyle"""
FITS = """width => [document.documentElement, document.querySelector("dialog[open]")]
  .every(it => !it || it.scrollWidth <= width)"""


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
    expect(gallery.page.locator("#grid img.loaded")).to_have_count(len(SAMPLE_NAMES))


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
    browser: Browser, samples_app: RunningApp, view: str
) -> None:
    """axe-core finds nothing, and nothing is wider than the window."""
    with gallery_page(browser, samples_app, reduced_motion="reduce") as gallery:
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
            page.wait_for_function(FITS, arg=width, timeout=PATIENCE)
            if width == NARROW[0]:
                assert page.evaluate(RUN_AXE) == []
                gallery.shot(f"{view}-{scheme_of(page)}-{width}")


def scheme_of(page: Page) -> str:
    is_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    return "dark" if is_dark else "light"


def test_everything_is_reached_without_a_mouse(browser: Browser, samples_app: RunningApp) -> None:
    with gallery_page(browser, samples_app) as gallery:
        page = gallery.page
        open_grid(gallery)
        expect(page.locator("#grid .card")).to_have_count(6)
        seen = []
        for _ in range(10):
            page.keyboard.press("Tab")
            seen.append(page.evaluate("document.activeElement.id"))
            assert page.evaluate(OUTLINE) != "none", seen
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


def test_texts_run_their_own_way(browser: Browser, samples_app: RunningApp) -> None:
    with gallery_page(browser, samples_app) as gallery:
        dress(gallery.page, colourful)
        open_grid(gallery)
        arabic = gallery.page.locator("#grid .caption[lang=ar]")
        assert arabic.evaluate("it => getComputedStyle(it).direction") == "rtl"
        english = gallery.page.locator("#grid .caption", has_text="A cat.")
        assert english.evaluate("it => getComputedStyle(it).direction") == "ltr"
