"""The gallery in a real browser, on the whole app with the embedded providers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, Route, expect

from captioning.domain.record import record_id
from testing.harness.gallery_page import EMBEDDED, GalleryPage, gallery_page, sample, saved
from testing.harness.running_app import RunningApp
from testing.harness.waiting import eventually


@pytest.fixture(scope="module")
def app(azurite: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    folder = tmp_path_factory.mktemp("gallery")
    name = f"g{uuid.uuid4().hex[:12]}"
    with RunningApp("embedded", azurite, folder, name, settings=EMBEDDED) as running:
        yield running


@pytest.fixture
def gallery(browser: Browser, app: RunningApp) -> Iterator[GalleryPage]:
    with gallery_page(browser, app) as opened:
        yield opened


@pytest.fixture
def photos(app: RunningApp) -> None:
    """A cat and a coffee are there."""
    for name in ("cat", "coffee"):
        app.upload(f"{name}.jpg", sample(name))
    for name in ("cat", "coffee"):
        app.record(f"{name}.jpg")


def test_dropped_photos_get_their_captions_without_a_reload(
    gallery: GalleryPage, capsys: pytest.CaptureFixture[str]
) -> None:
    """Begins with an empty container, and says how to begin."""
    gallery.open()
    expect(gallery.page.locator("#empty")).to_contain_text("Drop images")
    began = time.monotonic()
    gallery.drop(*((f"drop/{name}.jpg", sample(name)) for name in ("cat", "coffee", "camera")))
    expect(gallery.page.locator("#grid .caption:not(.skeleton)").first).to_be_visible()
    with capsys.disabled():
        print(f"\nfirst caption {time.monotonic() - began:.2f} s after the drop")
    for text in ("A cat.", "Espresso.", "A tripod."):
        expect(gallery.page.locator("#grid .caption", has_text=text)).to_be_visible()
        expect(gallery.page.locator("#uploads-list .state", has_text=text)).to_be_visible()
    expect(gallery.page.locator("#grid img.loaded")).to_have_count(3)
    expect(gallery.page.locator("#uploads-summary")).to_have_text("3 of 3 stored")


def test_a_folder_keeps_its_paths_and_a_refused_file_says_why(
    gallery: GalleryPage, tmp_path: Path
) -> None:
    folder = saved(
        tmp_path / "holiday", cat_jpg=sample("cat"), day2__rocket_jpg=sample("rocket"), a_txt=b"Hi."
    )
    gallery.open()
    gallery.page.set_input_files("#pick-folder", folder)
    refused = gallery.page.locator("#uploads-list li.refused")
    expect(refused).to_contain_text("holiday/a.txt")
    expect(refused.locator(".state")).to_contain_text("not an image")
    expect(gallery.page.locator("#uploads-summary")).to_have_text("2 of 3 stored, 1 refused")
    for path in ("holiday/cat.jpg", "holiday/day2/rocket.jpg"):
        expect(gallery.page.locator("#grid .path", has_text=path)).to_be_visible()


@pytest.mark.usefixtures("photos")
def test_an_upload_replaces_nothing_unasked(gallery: GalleryPage, app: RunningApp) -> None:
    gallery.open()
    before = app.record("cat.jpg")["image"]["sha256"]
    gallery.drop(("cat.jpg", sample("camera")))
    row = gallery.page.locator("#uploads-list li", has_text="cat.jpg")
    expect(row.locator(".state")).to_contain_text("There is an image at this path.")
    assert app.record("cat.jpg")["image"]["sha256"] == before
    row.get_by_role("button", name="Replace it").click()
    expect(row.locator(".state")).to_have_text("A tripod.")
    expect(gallery.page.locator("#grid .card").first).to_contain_text("A tripod.")


@pytest.mark.usefixtures("photos")
def test_only_the_image_that_was_asked_about_is_replaced(
    gallery: GalleryPage, app: RunningApp
) -> None:
    """Somebody else changes it before the button is pressed, and then deletes it."""
    gallery.open()
    app.upload("asked.jpg", sample("cat"))
    gallery.drop(("asked.jpg", sample("camera")))
    row = gallery.page.locator("#uploads-list li", has_text="asked.jpg")
    expect(row.locator(".state")).to_contain_text("There is an image at this path.")
    app.upload("asked.jpg", sample("coffee"))
    etag = app.images.describe("asked.jpg").etag
    row.get_by_role("button", name="Replace it").click()
    expect(row.locator(".state")).to_contain_text("not the one that If-Match names")
    assert app.images.describe("asked.jpg").etag == etag
    app.images.delete("asked.jpg")
    row.get_by_role("button", name="Replace it").click()
    expect(row.locator(".state")).to_contain_text("not there any more")
    row.get_by_role("button", name="Upload it").click()
    expect(row.locator(".state")).to_have_text("A tripod.")


def test_leaving_in_the_middle_of_an_upload_asks(gallery: GalleryPage) -> None:
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    gallery.open()
    gallery.page.on("dialog", stay)
    gallery.page.route("**/api/images/**", lambda _: None)  # it never arrives
    gallery.page.locator("#search").click()
    gallery.drop(("slow.jpg", sample("cat")))
    expect(gallery.page.locator("#uploads-list progress")).to_be_visible()
    with gallery.page.expect_event("close"):
        gallery.page.close(run_before_unload=True)
    assert asked == ["beforeunload"]


def typed(page: Page, text: str) -> None:
    page.locator("#search").press_sequentially(text)


@pytest.mark.usefixtures("photos")
def test_a_search_is_in_the_address_and_back_and_forward_work(
    gallery: GalleryPage, browser: Browser, app: RunningApp
) -> None:
    page, captions = gallery.page, gallery.page.locator("#grid .caption")
    gallery.open()
    expect(captions.filter(has_text="Espresso.").first).to_be_visible()
    typed(page, "espr")
    expect(page).to_have_url(f"{gallery.url}/?q=espr")
    expect(captions.filter(has_text="Espresso.").first).to_be_visible()
    expect(captions.filter(has_not_text="Espresso.")).to_have_count(0)
    page.locator("#tag").fill("drink")
    page.locator("#tag").press("Enter")
    expect(page).to_have_url(f"{gallery.url}/?q=espr&tag=drink")
    expect(page.locator("#tag-chips")).to_contain_text("drink")
    page.locator("#more-filters summary").click()
    page.locator("#status").select_option("failed")
    expect(page.locator("#no-match")).to_be_visible()
    link = page.url
    page.go_back()
    expect(captions.first).to_have_text("Espresso.")
    page.go_back()
    page.go_back()
    expect(page).to_have_url(f"{gallery.url}/")
    expect(page.locator("#search")).to_have_value("")
    page.go_forward()
    expect(page.locator("#search")).to_have_value("espr")
    with gallery_page(browser, app) as other:
        other.page.goto(link)
        expect(other.page.locator("#no-match")).to_be_visible()
        expect(other.page.locator("#search")).to_have_value("espr")
        expect(other.page.locator("#status")).to_have_value("failed")
        other.page.get_by_role("button", name="Show all images").click()
        expect(other.page.locator("#grid .caption").first).to_be_visible()


@pytest.mark.usefixtures("photos")
def test_tags_are_completed(gallery: GalleryPage) -> None:
    gallery.open()
    gallery.page.locator("#tag").press_sequentially("esp")
    expect(gallery.page.locator("#tag-options option")).to_have_attribute("value", "espresso")
    gallery.page.locator("#tag").press("Enter")
    expect(gallery.page.locator("#no-match")).to_be_visible()


def test_an_outdated_answer_is_dropped(gallery: GalleryPage, app: RunningApp) -> None:
    """The first search answers after the second."""
    held: list[Route] = []
    gallery.open()
    gallery.page.route("**/api/captions?q=tripod*", lambda route: held.append(route))
    typed(gallery.page, "tripod")
    expect(gallery.page).to_have_url(f"{gallery.url}/?q=tripod")
    gallery.page.locator("#search").fill("nowhere")
    expect(gallery.page.locator("#no-match")).to_be_visible()
    for route in held:
        route.continue_()
    expect(gallery.page.locator("#grid .card")).to_have_count(0)
    expect(gallery.page.locator("#no-match")).to_be_visible()


def test_an_edit_meets_a_conflict_and_keeps_what_was_typed(
    gallery: GalleryPage, browser: Browser, app: RunningApp
) -> None:
    app.upload("edited.jpg", sample("coffee"))
    app.record("edited.jpg")
    page = gallery.page
    gallery.open_image("edited.jpg")
    with gallery_page(browser, app) as other:
        other.open_image("edited.jpg")
        other.page.get_by_label("Caption", exact=True).fill("Somebody's espresso.")
        other.page.get_by_role("button", name="Save").click()
        expect(other.page.locator(".suggestion").first).to_contain_text("Somebody's espresso.")
        expect(other.page.locator(".suggestion").first).to_contain_text("Written by a person")
    page.get_by_label("Caption", exact=True).fill("My espresso, in a red cup.")
    expect(page.locator("#count-caption")).to_contain_text("26 characters")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".message")).to_contain_text("nothing was saved")
    page.get_by_role("button", name="Load the newer version").click()
    expect(page.locator(".suggestion").first).to_contain_text("Somebody's espresso.")
    expect(page.get_by_label("Caption", exact=True)).to_have_value("My espresso, in a red cup.")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".suggestion").first).to_contain_text("My espresso, in a red cup.")
    record = app.record("edited.jpg")
    assert record["caption"] == "My espresso, in a red cup."
    assert record["provenance"]["edited_by_human"] == ["caption"]
    for text in ("Espresso.", "My espresso, in a red cup."):  # one step back, and again
        revert = page.get_by_role("button", name="Revert")
        expect(revert).to_have_attribute("title", f"Back to: {text}")
        revert.click()
        expect(page.locator(".suggestion").first).to_contain_text(text)


def test_tags_alt_text_and_review_are_written(browser: Browser, app: RunningApp) -> None:
    app.upload("tagged.jpg", sample("cat"))
    app.record("tagged.jpg")
    permissions = ["clipboard-read", "clipboard-write"]
    with gallery_page(browser, app, permissions=permissions) as gallery:
        page = gallery.page
        gallery.open_image("tagged.jpg")
        page.get_by_role("button", name="Remove mammal").click()
        page.get_by_label("Add a tag").fill("Mila")
        page.get_by_label("Add a tag").press("Enter")
        page.get_by_label("Alt text", exact=True).fill("Mila,\nlooking left.")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("button", name="Save")).to_be_disabled()
        page.get_by_role("button", name="Mark as reviewed").click()
        expect(page.locator("#image-review")).to_have_text("Mark as not reviewed")
        page.get_by_role("button", name="Copy alt text").click()
        expect(page.locator(".notice")).to_contain_text("copied")
        assert page.evaluate("navigator.clipboard.readText()") == "Mila, looking left."
    record = app.record("tagged.jpg")
    assert (record["alt_text"], record["review"]) == ("Mila, looking left.", "done")
    names = [tag["name"] for tag in record["tags"]]
    assert "Mila" in names
    assert "mammal" not in names


def test_what_is_typed_and_not_saved_is_there_again(gallery: GalleryPage, app: RunningApp) -> None:
    app.upload("draft.jpg", sample("cat"))
    app.record("draft.jpg")
    gallery.open()
    gallery.page.locator(f"[data-id='{record_id('draft.jpg')}']").click()
    gallery.page.get_by_label("Caption", exact=True).fill("Half a sent")
    gallery.page.keyboard.press("Escape")
    expect(gallery.page.locator("#image")).to_be_hidden()
    gallery.page.locator(f"[data-id='{record_id('draft.jpg')}']").click()
    expect(gallery.page.get_by_label("Caption", exact=True)).to_have_value("Half a sent")
    gallery.page.get_by_role("button", name="Discard").click()
    expect(gallery.page.get_by_label("Caption", exact=True)).to_have_value("A cat.")


def test_a_deleted_image_comes_back_with_undo_and_goes_without(
    gallery: GalleryPage, app: RunningApp
) -> None:
    app.upload("gone.jpg", sample("rocket"))
    app.record("gone.jpg")
    page, link = gallery.page, gallery.page.locator(f"[data-id='{record_id('gone.jpg')}']")
    gallery.open()
    link.click()
    page.get_by_role("button", name="Delete").click()
    expect(link).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(link).to_be_visible()
    assert app.record("gone.jpg")["status"] == "captioned"
    link.click()
    page.get_by_role("button", name="Delete").click()
    with page.expect_request(lambda request: request.method == "DELETE"):
        page.get_by_role("button", name="Dismiss").click()
    expect(link).to_have_count(0)
    wait_until_gone(gallery, app, "gone.jpg")


def test_a_deletion_is_not_lost_where_the_page_is_left(
    gallery: GalleryPage, app: RunningApp
) -> None:
    app.upload("left.jpg", sample("rocket"))
    app.record("left.jpg")
    gallery.open_image("left.jpg")
    gallery.page.get_by_role("button", name="Delete").click()
    expect(gallery.page.get_by_role("button", name="Undo")).to_be_visible()
    gallery.page.goto("about:blank")
    wait_until_gone(gallery, app, "left.jpg")


def wait_until_gone(gallery: GalleryPage, app: RunningApp, path: str) -> None:
    target = f"/api/captions/sha256:{record_id(path)}"
    eventually(lambda: app.get(target)[0] == 404, lambda: f"{path} is still there")


def test_a_save_that_is_answered_late_stays_with_its_image(
    gallery: GalleryPage, app: RunningApp
) -> None:
    """The next image is open by then."""
    for name in ("late-1.jpg", "late-2.jpg"):
        app.upload(name, sample("cat"))
        app.record(name)
    held: list[Route] = []
    page = gallery.page
    page.route(
        "**/api/captions/**",
        lambda route: held.append(route) if route.request.method == "PATCH" else route.continue_(),
    )
    gallery.open("?q=late%20")
    expect(page.locator("#grid .card")).to_have_count(2)
    page.locator("#grid .card").first.click()
    page.get_by_label("Caption", exact=True).fill("A late one.")
    page.get_by_role("button", name="Save").click()
    first = page.locator("#image-title").inner_text()
    page.get_by_role("button", name="Next", exact=True).click()
    expect(page.locator("#image-title")).not_to_have_text(first)
    with page.expect_response(lambda response: response.request.method == "PATCH"):
        held[0].continue_()
    expect(page.locator("#grid .caption").first).to_have_text("A late one.")
    expect(page.locator("#image-title")).not_to_have_text(first)
    expect(page.get_by_label("Caption", exact=True)).not_to_have_value("A late one.")
