"""The files of the gallery: how they are served, and what they never do."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import azure.functions as func
import pytest

import function_app
from captioning.gallery.files import FOLDER, MEDIA_TYPES
from testing.harness.functions import call, problem

SCRIPTS = sorted(FOLDER.glob("*.js"))
MAX_LINES = 220
MARKUP = (
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc|eval\(|Function\("
)
ELSEWHERE = r"https?://(?!www\.w3\.org/2000/svg\b)|url\(|@import"
ESCAPES = [
    *("..%2f..%2fhost.json", "..%2F..%2Flocal.settings.json", "../gallery.py", "..\\gallery.py"),
    *("/etc/passwd", "index.html/", "INDEX.HTML", "", ".", "app.js\0", "nothing.js", "__init__.py"),
]


def file(name: str, **headers: str) -> func.HttpResponse:
    return call(function_app.gallery_file, f"/web/{name}", name, "GET", b"", **headers)


def test_the_page_is_served_without_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(function_app, "services", lambda: pytest.fail("it needs no service"))
    page = call(function_app.gallery, "/")
    assert (page.status_code, page.mimetype) == (200, "text/html; charset=utf-8")
    assert page.get_body().startswith(b"<!doctype html>")
    assert page.headers["Cache-Control"] == "no-cache"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "no-referrer"


def test_the_policy_allows_our_own_files_only() -> None:
    for served in (call(function_app.gallery, "/"), file("app.js"), file("icon.svg")):
        policy = served.headers["Content-Security-Policy"].split("; ")
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "style-src 'self'" in policy
        assert not any("unsafe" in rule or "*" in rule or "data:" in rule for rule in policy)


def test_a_file_is_sent_compressed_to_whom_takes_it() -> None:
    plain, small = file("app.js"), file("app.js", Accept_Encoding="br, gzip;q=0.8")
    assert small.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(small.get_body()) == plain.get_body()
    assert small.headers["ETag"] != plain.headers["ETag"]
    assert plain.headers["Vary"] == small.headers["Vary"] == "Accept-Encoding"
    assert "Content-Encoding" not in file("app.js", Accept_Encoding="gzip;q=0, br").headers


def test_a_file_that_a_browser_has_is_not_sent_again() -> None:
    served = file("app.js")
    again = file("app.js", If_None_Match=served.headers["ETag"])
    assert (again.status_code, again.get_body()) == (304, b"")
    assert file("app.js", If_None_Match='"another"').status_code == 200


@pytest.mark.parametrize("name", ESCAPES)
def test_nothing_else_is_served(name: str) -> None:
    assert problem(file(name)) == (404, "not_found")


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_every_file_is_served_as_what_it_is(path: Path) -> None:
    served = file(path.name)
    assert (served.status_code, served.mimetype) == (200, MEDIA_TYPES[path.suffix])
    assert served.get_body() == path.read_bytes()


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_files_are_short_make_no_markup_and_load_nothing_from_elsewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n") <= MAX_LINES
    assert not re.search(MARKUP, text)
    assert not re.search(ELSEWHERE, text)
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=\"", text)


def test_every_script_is_used_and_every_import_is_there() -> None:
    imports = {
        name
        for script in SCRIPTS
        for name in re.findall(r'from "\./([\w.]+)"', script.read_text("utf-8"))
    }
    assert imports == {script.name for script in SCRIPTS} - {"app.js"}
    page = (FOLDER / "index.html").read_text("utf-8")
    preloaded = re.findall(r'rel="modulepreload" href="web/([\w.]+)"', page)
    assert preloaded == sorted(imports)
