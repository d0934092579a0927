"""The gallery for sharing: what a browser makes of its files, and what is not in them."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from captioning.api.images import WIDTHS
from captioning.domain.record import CaptionRecord, CaptionText, Tag
from captioning.export import html
from captioning.export.html import WIDTH, Gallery, write_gallery
from testing.factories.pictures import encoded, oriented, quadrants
from testing.factories.records import FULL, minutes, short
from testing.harness.command_line import CommandLine
from testing.harness.html_page import HtmlPage
from testing.harness.storage import Storage

JPEG = encoded(quadrants(320, 240), "JPEG")


def parsed(folder: Path, name: str = "index.html") -> HtmlPage:
    page = HtmlPage()
    page.feed((folder / name).read_text("utf-8"))
    page.close()
    return page


def look(_: CaptionRecord) -> bytes:
    """Any thumbnail."""
    return JPEG


def test_the_thumbnails_are_of_a_width_that_the_app_keeps() -> None:
    assert WIDTH in WIDTHS


def test_what_is_shared(command: CommandLine, storage: Storage, tmp_path: Path) -> None:
    """Captions, tags and small pictures without metadata; of other uploads and states nothing."""
    folder = tmp_path / "new" / "gallery"
    for number, name in enumerate(["dog.jpg", "2026/söcrét ../divider.jpg", "old.jpg"]):
        blob = storage.upload(name, oriented(6, width=800))
        made = short(name, minutes(number), tags=(Tag("dog", 0.9),), alt_text="A dog & a cat.")
        made = replace(made, image=replace(made.image, etag=blob.etag))
        if number == 1:
            made = replace(made, decorative=True, alt_text="")
        storage.catalog.save(made, None)
    storage.upload("old.jpg", oriented(1))
    for record in (short("deleted.jpg"), short("no.jpg", caption=None), replace(FULL, tags=())):
        storage.catalog.save(record, None)
    result = command("export", "--format", "html", "--output", folder, "--tag", "dog")
    assert (result.exit_code, result.stdout) == (0, "2 pictures, 1 left out\n")
    page = parsed(folder)
    images = page.named("img")
    assert [image.attributes["alt"] for image in images] == ["", "A dog & a cat."]
    for image in images:
        data = (folder / str(image.attributes["src"])).read_bytes()
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.size == (320, 240)
            assert not picture.getexif()
    assert images[0].attributes["height"] == "240"
    assert [p.text for p in page.named("p")] == [
        "Caption of 2026/söcrét ../divider.jpg.",
        "Caption of dog.jpg.",
    ]
    assert sorted(path.name for path in folder.iterdir()) == ["index.html", "thumbnails"]
    assert len([*(folder / "thumbnails").iterdir()]) == 2
    again = command("export", "--format", "html", "--output", folder)
    assert (again.exit_code, again.stdout) == (2, "")
    assert "not empty" in again.stderr


def test_nothing_else_of_the_record_is_in_it(tmp_path: Path) -> None:
    record = replace(FULL, status="captioned", decorative=False, updated=minutes(9))
    write_gallery([record], tmp_path, look)
    page = parsed(tmp_path)
    [figure] = page.named("figure")
    assert figure.attributes["lang"] == "en"
    assert [(p.text, p.attributes.get("lang")) for p in page.named("p")] == [
        ("A dog on a beach.", None),
        ("Ein Hund am Strand.", "de"),
        ("A brown dog runs on a beach.", "en"),
        ("Ein brauner Hund.", "de"),
    ]
    assert [tag.text for tag in page.named("li")] == ["dog", "Hündin 🐕"]
    text = (tmp_path / "index.html").read_text("utf-8")
    for secret in ("2026", "beach day", "SALE", "Pepsi", "gpt", "azure", "0x8DE", "frisbee"):
        assert secret not in text


def test_no_text_is_markup(tmp_path: Path) -> None:
    evil = "\"><script>alert(1)</script><img src=x onerror=alert(1)>\x00\x1b\ud800 &lt;b> ' </p>"
    kept = "\"><script>alert(1)</script><img src=x onerror=alert(1)> &lt;b> ' </p>"
    record = short(
        evil,
        caption=evil,
        alt_text=evil,
        description=evil,
        language='en" onload="x',
        tags=(Tag(evil, 1.0),),
        translations={"de": CaptionText(evil, evil, evil)},
    )
    write_gallery([record], tmp_path, look)
    page = parsed(tmp_path)
    names = "html head meta title style body h1 main figure img figcaption p details summary ul li"
    assert " ".join(dict.fromkeys(element.name for element in page.elements)) == names
    assert [p.text for p in page.named("p")] == [kept] * 4
    assert page.named("img")[0].attributes.keys() == {"src", "alt", "width", "height", "loading"}
    assert page.named("img")[0].attributes["alt"] == kept
    assert page.named("figure")[0].attributes == {"lang": 'en" onload="x'}


def test_the_page_may_load_its_pictures_and_its_style_and_nothing_else(tmp_path: Path) -> None:
    write_gallery([short("a.jpg")], tmp_path, look)
    page = parsed(tmp_path)
    [policy] = [m for m in page.named("meta") if "http-equiv" in m.attributes]
    assert str(policy.attributes["content"]).startswith("default-src 'none'; img-src 'self' file:;")
    assert not page.named("script") + page.named("link")
    text = (tmp_path / "index.html").read_text("utf-8")
    assert "://" not in text.replace("http-equiv", "")
    assert "prefers-color-scheme" in text or "color-scheme: light dark" in text


@pytest.mark.parametrize(("count", "pages"), [(1, [1]), (4, [2, 2]), (5, [2, 2, 1])])
def test_many_pictures_are_pages_that_lead_to_each_other(
    count: int, pages: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html, "ON_A_PAGE", 2)
    records = [short(f"{number}.jpg") for number in range(count)]
    records.insert(1, short("x.jpg", status="failed"))
    assert write_gallery(records, tmp_path, look) == Gallery(count, 1)
    name, seen, before = "index.html", list[int](), None
    captions: list[str] = []
    while name:
        page = parsed(tmp_path, name)
        seen.append(len(page.named("img")))
        captions += [p.text for p in page.named("p")]
        links = {str(a.attributes["rel"]): str(a.attributes["href"]) for a in page.named("a")}
        assert links.get("prev") == before
        before, name = name, links.get("next", "")
    assert seen == pages
    assert captions == [f"Caption of {number}.jpg." for number in range(count)]


@pytest.mark.parametrize("there", ["thumbnails/old.jpg", "mine.txt", ".hidden"])
def test_a_folder_that_holds_anything_is_left_as_it_is(there: str, tmp_path: Path) -> None:
    """An older thumbnail would be shared with the rest, though nothing shows it."""
    place = tmp_path / there
    place.parent.mkdir(exist_ok=True)
    place.write_text("x")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FileExistsError, match="not empty"):
        write_gallery([short("a.jpg")], tmp_path, look)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_unfinished_gallery_has_no_front_page(tmp_path: Path) -> None:
    def broken() -> object:
        yield short("a.jpg")
        raise OSError("storage is gone")

    records: list[CaptionRecord] = broken()  # type: ignore[assignment]  # any iterable will do
    with pytest.raises(OSError, match="gone"):
        write_gallery(records, tmp_path, look)
    assert not (tmp_path / "index.html").exists()
