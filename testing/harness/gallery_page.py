"""The gallery in a browser: pages that record every error and warning of the browser."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Playwright,
    Route,
    ViewportSize,
    expect,
)

from captioning.domain.record import record_id
from testing.harness.running_app import RunningApp
from testing.paths import ROOT

LAUNCH = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
EXPECTED = "Failed to load resource: the server responded with a status of "
"""The browser's own message about an HTTP error, which the page explains to the user."""
EMBEDDED = {
    "VISION_PROVIDER": "embedded",
    "CAPTION_PROVIDER": "embedded",
    "IGNORE_FILES": "",
}
"""Settings of an app that calls no service, and rejects a text instead of ignoring it."""
SAMPLE_NAMES = ("astronaut", "camera", "cat", "coffee", "rocket")
SAMPLES = ROOT / "samples"
SCREENSHOTS = ROOT / "build/screenshots"
WIDE, NARROW = (1280, 800), (390, 844)
PATIENCE = 120_000
"""Milliseconds. Only ends a test that hangs: other tests run on the same cores."""
expect.set_options(timeout=PATIENCE)

MAKE_TRANSFER = """files => {
  const transfer = new DataTransfer();
  for (const [name, data] of files) {
    const bytes = Uint8Array.from(atob(data), character => character.charCodeAt(0));
    transfer.items.add(new File([bytes], name));
  }
  return transfer;
}"""


def launched(playwright: Playwright) -> Browser:
    """Starts the installed Chromium. Fails with what to install if there is none."""
    found = subprocess.run(
        ["sh", "scripts/find-chromium"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    return playwright.chromium.launch(executable_path=found.stdout.strip(), args=[*LAUNCH])


class GalleryPage:
    """A page of an app. `problems` are errors, warnings and violations of the security policy."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.problems: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.problems.append(str(error)))

    def open(self, query: str = "") -> None:
        self.page.goto(f"{self.url}/{query}")

    def open_image(self, path: str) -> None:
        """Opens the link of an image and waits for its record."""
        self.open(f"?image={record_id(path)}")
        self.page.locator("#image-body").wait_for()

    def drop(self, *files: tuple[str, bytes]) -> None:
        """Drops files on the page, as from a file manager."""
        encoded = [[name, base64.b64encode(data).decode()] for name, data in files]
        transfer = self.page.evaluate_handle(MAKE_TRANSFER, encoded)
        for event in ("dragenter", "dragover", "drop"):
            self.page.dispatch_event("body", event, {"dataTransfer": transfer})

    def captions(self) -> list[str]:
        """The captions under the pictures, in order."""
        return self.page.locator("#grid .caption").all_inner_texts()

    def shot(self, name: str) -> None:
        """Saves a screenshot for people to look at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(EXPECTED):
            self.problems.append(message.text)


@contextmanager
def gallery_page(browser: Browser, app: RunningApp | str, **options: Any) -> Iterator[GalleryPage]:
    """A page in a context of its own. Fails at the end if the page has any problems."""
    url = app if isinstance(app, str) else f"http://127.0.0.1:{app.workers[0].port}"
    viewport: ViewportSize = {"width": WIDE[0], "height": WIDE[1]}
    context = browser.new_context(viewport=viewport, locale="en-GB", **options)
    try:
        made = GalleryPage(context.new_page(), url)
        yield made
        assert made.problems == []
    finally:
        context.close()


def dress(page: Page, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes every record on its way to the page."""

    def handle(route: Route) -> None:
        if route.request.method != "GET":
            return route.continue_()
        response = route.fetch()
        if response.status != 200:
            return route.fulfill(response=response)
        document = response.json()
        for record in document.get("items", [document]):
            change(record)
        return route.fulfill(response=response, body=json.dumps(document))

    page.route("**/api/captions**", handle)
    page.route("**/api/captions/**", handle)


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.jpg").read_bytes()


def saved(folder: Path, **files: bytes) -> Path:
    """Writes files to a folder. In their names `__` stands for a slash, and other `_` for a dot."""
    for name, data in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder
