"""The gallery with a record that another version has written."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, expect

from captioning.domain.record import record_id
from testing.harness.gallery_page import EMBEDDED, gallery_page, sample
from testing.harness.planted_rows import plant_in
from testing.harness.running_app import RunningApp
from testing.harness.storage import Storage
from testing.harness.waiting import eventually

NAMES = ("cat", "coffee", "rocket")


@pytest.fixture
def app(azurite: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """Three images, the second of which has a status that this version does not know."""
    folder, name = tmp_path_factory.mktemp("gallery"), f"u{uuid.uuid4().hex[:12]}"
    with RunningApp("embedded", azurite, folder, name, settings=EMBEDDED) as running:
        for each in NAMES:
            running.upload(f"{each}.jpg", sample(each))
            running.record(f"{each}.jpg")
        with ExitStack() as stack:
            storage = Storage(azurite, name, stack)
            stored = storage.catalog.get("coffee.jpg")
            assert stored
            plant_in(storage, stored.record, status="archived", licence="CC-BY")
        yield running


def test_it_is_shown_beside_the_others_and_can_be_deleted(
    app: RunningApp, browser: Browser
) -> None:
    identity = record_id("coffee.jpg")
    with gallery_page(browser, app) as gallery:
        gallery.open()
        page = gallery.page
        cards = page.locator("#grid .card")
        expect(cards).to_have_count(3)
        for name in ("cat", "rocket"):
            expect(
                page.locator(f'[data-id="{record_id(f"{name}.jpg")}"] .caption')
            ).not_to_be_empty()
        broken = page.locator(f'[data-id="{identity}"]')
        expect(broken.locator(".badge.unreadable")).to_have_text("Unreadable")
        expect(broken.locator(".path")).to_have_text("coffee.jpg")
        expect(broken.locator("img.loaded")).to_be_visible()
        gallery.shot("unreadable")
        broken.click()
        expect(page.locator("#image-state")).to_contain_text("cannot read the record: status.")
        expect(page.locator("#image-editor")).to_be_hidden()
        expect(page.locator("#image-retry")).to_be_disabled()
        page.locator("#image-delete").click()
        expect(cards).to_have_count(2)
        gallery.open("?status=unreadable")  # leaving the page sends the deletion

        def gone() -> bool:
            return app.get(f"/api/captions/sha256:{identity}")[0] == 404

        assert eventually(gone, app.log)
        gallery.open()
        expect(cards).to_have_count(2)
    assert not re.search("CC-BY|Traceback", app.log())
