"""The gallery with thousands of images, and what its first view costs; the figures are printed."""

from __future__ import annotations

import base64
import time
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Route, expect

from captioning.domain.record import RecordError, record_id
from testing.factories.records import short
from testing.harness.gallery_page import SAMPLE_NAMES, WIDE, gallery_page
from testing.harness.running_app import RunningApp

COUNT = 5_000
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def one_of_many(number: int) -> dict[str, Any]:
    """Only some have a picture: each one that is fetched passes through this test."""
    record = short(f"many/{number}.jpg")
    if number % 8:
        error = RecordError("unsupported_format", "It is no image.")
        record = replace(record, status="rejected", error=error)
    return record.to_json()


def pixel(route: Route) -> None:
    route.fulfill(body=PIXEL, content_type="image/png")


def thousands(route: Route) -> None:
    """5,000 images in pages, some of which are short or empty and have a next."""
    query = parse_qs(urlsplit(route.request.url).query)
    start, limit = int(query.get("cursor", ["0"])[0]), int(query["limit"][0])
    end = min(COUNT, start + (0 if start % 7 == 3 else limit - start % 5))
    items = [one_of_many(number) for number in range(start, end)]
    position = end if end > start else end + 1  # only in this list: an empty page goes on too
    more = str(position) if end < COUNT else None
    route.fulfill(json={"items": items, "next": more})


FRAMES = """async () => {
  let last = performance.now(), dropped = 0, frames = 0, still = 0;
  const budget = 1000 / 60;
  while (true) {
    const now = await new Promise(requestAnimationFrame);
    frames += 1;
    dropped += Math.max(0, Math.round((now - last) / budget) - 1);
    last = now;
    const before = scrollY;
    scrollBy(0, 900);
    const isEnd = document.querySelector("#count").textContent === COUNT_TEXT;
    still = isEnd && scrollY === before ? still + 1 : 0;
    if (still > 9) return [frames, dropped];
  }
}"""


def test_the_document_stays_small_with_thousands_of_images(
    browser: Browser, samples_app: RunningApp, capsys: pytest.CaptureFixture[str]
) -> None:
    with gallery_page(browser, samples_app) as gallery:
        page = gallery.page
        page.route("**/api/captions?*", thousands)
        page.route("**/api/images/**", pixel)
        gallery.open()
        expect(page.locator("#grid .card").first).to_be_visible()
        began = time.monotonic()
        text = f'"{COUNT - missing()} images"'
        frames, dropped = page.evaluate(FRAMES.replace("COUNT_TEXT", text))
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
    browser: Browser, samples_app: RunningApp, capsys: pytest.CaptureFixture[str]
) -> None:
    with gallery_page(browser, samples_app) as gallery:
        page, sizes = gallery.page, dict[str, Any]()
        page.on("requestfinished", lambda request: sizes.update({request.url: request.sizes()}))
        gallery.open()
        expect(page.locator("#grid img.loaded")).to_have_count(len(SAMPLE_NAMES))
        gallery.shot(f"samples-light-{WIDE[0]}")
        kilobytes = {url: size["responseBodySize"] / 1_000 for url, size in sizes.items()}
        own = [size for url, size in kilobytes.items() if "/api/" not in url]
        with capsys.disabled():
            print(
                f"\nfirst view: {len(sizes)} requests, {sum(kilobytes.values()):.0f} kB;"
                f" of these for the page itself {len(own)}, {sum(own):.0f} kB"
            )
        assert len(own) < 40
        assert sum(own) < 50
