"""The gallery with failures, hostile texts and refusals; the services are called over HTTP."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from captioning.domain.record import record_id
from testing.factories import pictures
from testing.harness.gallery_page import GalleryPage, dress, gallery_page
from testing.harness.running_app import RunningApp
from testing.services.both import LocalServices
from testing.services.vision import LocalVision
from testing.services.vision_scene import Scene

MARKUP = "<img src=x onerror=alert(1)>"
HOSTILE = f"sign {MARKUP}.png"
ANSWER = {
    "caption": f"A sign that says “{MARKUP}”.",
    "alt_text": f"A sign: “{MARKUP}”.",
    "description": f"“{MARKUP}” in red.",
}
LANGUAGES = {"CAPTION_LANGUAGES": "en,ar"}
AWAY = {"status": 503, "code": "unavailable", "detail": "Storage does not answer."}
KEY = "the key of this test"


def scene(_: bytes) -> Scene:
    """A cat, a chair, a brand, and a line of text that is markup."""
    place = (0.5, 0.1, 0.25, 0.05)
    return Scene(text=((MARKUP, place),), tags=((MARKUP, 0.9), ("cat", 0.97)))


@pytest.fixture(scope="module")
def services() -> LocalServices:
    return LocalServices(vision=LocalVision(scene=scene))


@pytest.fixture(scope="module")
def app(
    azurite: str, services: LocalServices, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningApp]:
    folder, name = tmp_path_factory.mktemp("gallery"), f"f{uuid.uuid4().hex[:12]}"
    with RunningApp(
        "embedded", azurite, folder, name, services=services, settings=LANGUAGES
    ) as running:
        yield running


@pytest.fixture
def gallery(browser: Browser, app: RunningApp) -> Iterator[GalleryPage]:
    with gallery_page(browser, app) as opened:
        yield opened


def picture(number: int) -> bytes:
    """Each is another image."""
    return pictures.encoded(pictures.quadrants(400 + number, 300), "PNG")


def test_markup_in_a_caption_a_line_of_text_and_a_name_stays_text(
    gallery: GalleryPage, app: RunningApp, services: LocalServices
) -> None:
    services.chat.script.append(json.dumps({"decorative": False, "texts": texts()}))
    app.upload(HOSTILE, picture(1))
    assert app.record(HOSTILE)["caption"] == ANSWER["caption"]
    page = gallery.page
    gallery.open()
    expect(page.locator("#grid .caption", has_text=MARKUP)).to_be_visible()
    expect(page.locator("#grid .path", has_text=MARKUP)).to_be_visible()
    gallery.open_image(HOSTILE)
    expect(page.locator("#image-title")).to_have_text(HOSTILE)
    expect(page.locator(".finding.text")).to_have_text(MARKUP)
    expect(page.locator(".suggestion").first).to_contain_text(MARKUP)
    expect(page.locator(".tag", has_text=MARKUP)).to_be_visible()
    page.locator(".finding.text").focus()
    expect(page.locator(".stage .label")).to_have_text(MARKUP)
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".notice")).to_contain_text(MARKUP)
    page.get_by_role("button", name="Undo").click()
    assert page.locator("img[src=x], [onerror]").count() == 0


def texts() -> dict[str, Any]:
    arabic = f"لافتة: “{MARKUP}”."
    return {"en": ANSWER, "ar": dict.fromkeys(ANSWER, arabic)}


def test_a_failed_image_says_why_and_is_tried_again(
    gallery: GalleryPage, app: RunningApp, services: LocalServices
) -> None:
    services.chat.script.extend(["no caption", "no caption"])
    app.upload("failed.png", picture(2))
    assert app.record("failed.png")["error"]["code"] == "bad_response"
    page = gallery.page
    gallery.open("?status=failed")
    expect(page.locator("#grid .badge.failed")).to_have_text("Failed: bad response")
    page.locator("#grid a").first.click()
    expect(page.locator("#image-state")).to_contain_text("model")
    page.get_by_role("button", name="Try again now").click()
    expect(page.locator(".suggestion").first).to_contain_text("A stand-in caption (en)")
    expect(page.locator("#image-state")).to_be_hidden()
    expect(page.get_by_role("button", name="Caption again (charged)")).to_be_enabled()


def test_boxes_are_drawn_to_scale_on_hover_and_focus(gallery: GalleryPage, app: RunningApp) -> None:
    app.upload("boxes.png", picture(3))
    record = app.record("boxes.png")
    page = gallery.page
    gallery.open_image("boxes.png")
    expect(page.locator(".stage img.loaded")).to_be_visible()
    frame = page.locator(".stage img").bounding_box()
    found = [*record["objects"], *record["brands"], *record["text"]]
    assert len(found) == page.locator(".stage rect").count() >= 2
    for number, finding in enumerate(found):
        entry, drawn = page.locator(".finding").nth(number), page.locator(".stage rect").nth(number)
        for show in (entry.focus, entry.hover):
            show()
            expect(drawn).to_have_class(re.compile(r"\blit\b"))
        box = drawn.bounding_box()
        assert frame
        assert box
        scale = frame["width"] / record["image"]["width"]
        x, y, width, height = finding["box"]
        line = 5  # the outline's width counts in what the browser measures
        assert box["x"] == pytest.approx(frame["x"] + x * scale, abs=line)
        assert box["y"] == pytest.approx(frame["y"] + y * scale, abs=line)
        assert box["width"] == pytest.approx(width * scale, abs=2 * line)
        assert box["height"] == pytest.approx(height * scale, abs=2 * line)


def test_words_without_support_are_marked_and_languages_run_their_way(
    gallery: GalleryPage, app: RunningApp
) -> None:
    app.upload("said.png", picture(4))
    app.record("said.png")

    def change(record: dict[str, Any]) -> None:
        record["caption"], record["language"] = "A stand-in for a (frisbee) dog.", "en"
        record["support"] = {"score": 0.5, "unsupported": ["frisbee", "stand"]}
        arabic = {"caption": "كلب على الشاطئ.", "alt_text": "كلب.", "description": ""}
        record["translations"] = {"ar": arabic}

    page = gallery.page
    dress(page, change)
    gallery.open_image("said.png")
    expect(page.locator(".suggestion").first.locator("mark")).to_have_text(["stand", "frisbee"])
    arabic = page.locator("dd[lang=ar]").first
    expect(arabic).to_have_text("كلب على الشاطئ.")
    assert arabic.evaluate("it => getComputedStyle(it).direction") == "rtl"


def guarded(page: Page) -> list[str | None]:
    """Has the API want a key; the keys that come, whatever they are."""
    keys: list[str | None] = []

    def guard(route: Route) -> None:
        keys.append(route.request.headers.get("x-functions-key"))
        assert KEY not in route.request.url
        if keys[-1] == KEY:
            route.continue_()
        else:
            route.fulfill(status=401, body="")

    page.route(lambda url: "/api/" in url and "/api/health" not in url, guard)
    return keys


def test_a_key_is_asked_for_once_and_kept_for_the_tab(
    gallery: GalleryPage, app: RunningApp, browser: Browser
) -> None:
    app.upload("locked.png", picture(5))
    app.record("locked.png")
    page = gallery.page
    guarded(page)
    gallery.open("?q=locked")
    page.get_by_label("Key", exact=True).fill("wrong")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#key-refused")).to_be_visible()
    page.get_by_label("Key", exact=True).fill(KEY)
    page.keyboard.press("Enter")
    expect(page.locator("#grid img.loaded")).to_have_count(1)
    expect(page.locator("#grid img")).to_have_attribute("src", re.compile("^blob:"))
    gallery.drop(("new.png", picture(6)))
    expect(page.locator("#uploads-summary")).to_contain_text("1 of 1 stored")
    page.reload()
    expect(page.locator("#grid img.loaded")).to_have_count(1)
    expect(page.locator("#key")).to_be_hidden()
    assert KEY not in page.url
    assert page.evaluate("localStorage.length + document.cookie.length") == 0


def test_who_has_no_key_is_told_and_can_think_again(gallery: GalleryPage) -> None:
    page = gallery.page
    guarded(page)
    gallery.open()
    expect(page.locator("#key")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#list-problem")).to_contain_text("requires a function key")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#key")).to_be_visible()


def test_an_app_that_does_not_answer_is_named(gallery: GalleryPage) -> None:
    page = gallery.page
    gallery.open()
    expect(page.locator("#count")).not_to_be_empty()
    page.route("**/api/captions*", lambda route: route.fulfill(status=503, json=AWAY))
    page.locator("#search").fill("cat")
    expect(page.locator("#list-problem")).to_contain_text("Storage does not answer.")
    page.unroute("**/api/captions*")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#list-problem")).to_be_hidden()


def test_a_refused_request_is_told(gallery: GalleryPage, app: RunningApp) -> None:
    """More images were to be captioned again than RECAPTIONS_PER_HOUR allows."""
    page = gallery.page
    app.upload("refused.png", picture(9))
    app.record("refused.png")
    gallery.open_image("refused.png")
    detail = "100 images have been requested again this hour."
    refused = {"status": 429, "code": "too_many_requests", "detail": detail}
    page.route("**/api/recaption/**", lambda route: route.fulfill(status=429, json=refused))
    button = page.get_by_role("button", name="Caption again (charged)")
    button.click()
    expect(page.locator("#image-problem")).to_have_text(detail)
    expect(button).to_be_enabled()


def test_a_link_to_no_image_says_so(gallery: GalleryPage) -> None:
    gallery.open(f"?image={record_id('nowhere.png')}")
    expect(gallery.page.locator("#image-problem")).to_contain_text("There is no such image")
    gallery.page.get_by_role("button", name="Close").click()
    expect(gallery.page.locator("#image")).to_be_hidden()
