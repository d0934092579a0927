"""Images and thumbnails by HTTP, on real storage: what comes, what it costs, what is kept."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from azure.storage.blob import ContainerClient
from PIL import Image

from captioning.api.images import LOOKS, ImageView
from captioning.api.messages import Request, Response
from captioning.domain.record import record_id
from captioning.errors import BadRequest, StorageUnavailable
from captioning.images.picture import read_header, thumbnail
from captioning.images.thumbnails import Thumbnails
from testing.factories import pictures
from testing.factories.pictures import is_upright, opened
from testing.harness.maintenance import InterceptedOnce, MaintenanceLab
from testing.harness.storage import Storage

URL = "https://app.example/api/images/x"
JPEG = pictures.oriented(6, width=800)
LIMIT = 1_000_000
SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Content-Disposition": "inline",
}


@pytest.fixture
def lab(storage: Storage) -> MaintenanceLab:
    assert storage.images.is_there()
    assert storage.thumbnails
    return MaintenanceLab(storage)


def view(lab: MaintenanceLab, **parts: Any) -> ImageView:
    """The route over this storage, or over parts that do something in between."""
    given: dict[str, Any] = {
        "images": lab.storage.images,
        "records": lab.storage.catalog,
        "thumbnails": lab.storage.thumbnails,
        "read_header": read_header,
        "thumbnail": thumbnail,
        "max_image_bytes": LIMIT,
        **parts,
    }
    make = given.pop("thumbnail")
    store = given.pop("thumbnails")
    given["thumbnails"] = Thumbnails(given["images"], store, make, given["max_image_bytes"])
    return ImageView(**given)


def item(path: str, query: str = "", match: str = "") -> Request:
    return Request(URL + query, path, {"if-none-match": match} if match else {})


def shown(lab: MaintenanceLab, query: str = "", path: str = "a.jpg", **parts: Any) -> Image.Image:
    """The picture that comes."""
    response = view(lab, **parts).get(item(path, query))
    assert response.status == 200, response.body
    return opened(response.body)


def code(response: Response) -> tuple[int, str]:
    """Status and code of a problem."""
    assert response.headers["Content-Type"] == "application/problem+json"
    return response.status, json.loads(response.body)["code"]


def refused(handle: Callable[[Request], Response], request: Request) -> str:
    with pytest.raises(BadRequest) as caught:
        handle(request)
    return caught.value.reason


class Uncooperative:
    """An image that changes whenever it is looked at."""

    def __init__(self, lab: MaintenanceLab) -> None:
        self._images, self._storage, self.looks = lab.storage.images, lab.storage, 0
        self.read = self._images.read

    def describe(self, path: str) -> Any:
        blob = self._images.describe(path)
        self.looks += 1
        self._storage.upload(path, JPEG)
        return blob


class TestOriginal:
    def test_the_bytes_come_as_they_were_uploaded(self, lab: MaintenanceLab) -> None:
        blob = lab.upload("2026/a b.jpg", JPEG)
        response = view(lab).get(item("2026%2Fa b.jpg"))
        assert (response.status, response.body) == (200, JPEG)
        assert response.headers == {
            **SAFE,
            "Content-Type": "image/jpeg",
            "ETag": blob.etag,
            "Cache-Control": "private, no-cache",
        }

    @pytest.mark.parametrize(
        ("name", "media_type"),
        [
            ("animated.gif", "image/gif"),
            ("picture.heic", "image/heif"),
            ("picture.webp", "image/webp"),
            ("sixteen-bit.png", "image/png"),
            ("half.jpg", "image/jpeg"),
        ],
    )
    def test_the_content_says_what_it_is(
        self, lab: MaintenanceLab, name: str, media_type: str
    ) -> None:
        lab.upload("page.html", pictures.STRANGE[name][0])
        response = view(lab).get(item("page.html"))
        assert response.headers["Content-Type"] == media_type

    def test_a_picture_of_several_is_a_jpeg(self, lab: MaintenanceLab) -> None:
        more = [pictures.quadrants()]
        data = pictures.encoded(pictures.quadrants(), "MPO", save_all=True, append_images=more)
        lab.upload("a.jpg", data)
        assert read_header(data).format == "JPEG"
        assert view(lab).get(item("a.jpg")).headers["Content-Type"] == "image/jpeg"

    @pytest.mark.parametrize("query", ["", "?width=160"])
    @pytest.mark.parametrize("name", ["text.jpg", "drawing.svg", "paper.pdf"])
    def test_what_is_no_image_is_not_shown(
        self, lab: MaintenanceLab, name: str, query: str
    ) -> None:
        lab.upload(name, pictures.STRANGE[name][0])
        assert code(view(lab).get(item(name, query))) == (415, "unsupported_format")
        assert lab.storage.kept_thumbnails() == []

    @pytest.mark.parametrize("query", ["", "?width=160"])
    def test_a_blob_over_the_limit_is_not_read(self, lab: MaintenanceLab, query: str) -> None:
        lab.storage.allocate("a.jpg", 1_048_576)
        images, sent = lab.storage.recorded_images()
        assert code(view(lab, images=images).get(item("a.jpg", query))) == (413, "too_large")
        assert sent == ["HEAD"]

    def test_a_record_names_it(self, lab: MaintenanceLab) -> None:
        path = "a/../b.jpg"
        lab.record(lab.upload(path, JPEG))
        assert view(lab).get(item(f"sha256:{record_id(path)}")).body == JPEG
        assert code(view(lab).get(item(f"sha256:{record_id('x')}"))) == (404, "not_found")

    @pytest.mark.parametrize("path", ["a%2F..%2Fb", "..%2f..%2fhost.json", "a\0", "\ud83c", "a."])
    def test_a_path_that_would_lead_elsewhere_is_refused(
        self, lab: MaintenanceLab, path: str
    ) -> None:
        assert refused(view(lab).get, item(path)) == "bad_name"


class TestThumbnail:
    @pytest.mark.parametrize(
        ("size", "width", "comes"),
        [
            ((800, 600), 160, (160, 120)),
            ((600, 800), 320, (320, 427)),
            ((3_001, 4_001), 640, (640, 853)),
            ((100, 75), 160, (100, 75)),
            ((60, 2_000), 160, (10, 320)),
            ((2_000, 2), 160, (160, 1)),
        ],
    )
    def test_it_is_so_wide_and_at_most_twice_as_high(
        self, lab: MaintenanceLab, size: tuple[int, int], width: int, comes: tuple[int, int]
    ) -> None:
        lab.upload("a.jpg", pictures.encoded(pictures.quadrants(*size), "JPEG"))
        image = shown(lab, f"?width={width}")
        assert (image.format, image.size) == ("JPEG", comes)

    @pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "AVIF"])
    @pytest.mark.parametrize("orientation", [1, 3, 6, 8])
    def test_it_is_upright(self, lab: MaintenanceLab, orientation: int, file_format: str) -> None:
        lab.upload("a.jpg", pictures.oriented(orientation, file_format))
        image = shown(lab, "?width=160")
        assert image.size == (160, 120)
        assert is_upright(image)

    def test_transparency_is_white(self, lab: MaintenanceLab) -> None:
        lab.upload("a.png", pictures.palette_with_alpha())
        image = shown(lab, "?width=160", "a.png")
        pixel = image.getpixel((20, 20))
        assert isinstance(pixel, tuple)
        assert min(pixel) > 240

    @pytest.mark.parametrize("name", ["sixteen-bit.png", "picture.heic", "cmyk.jpg"])
    def test_any_image_is_shown(self, lab: MaintenanceLab, name: str) -> None:
        lab.upload(name, pictures.STRANGE[name][0])
        image = shown(lab, "?width=160", name)
        assert (image.size, image.mode) == ((160, 120), "RGB")

    def test_it_tells_nothing_but_the_picture(self, lab: MaintenanceLab) -> None:
        lab.upload("a.jpg", pictures.with_gps())
        response = view(lab).get(item("a.jpg", "?width=320"))
        assert b"Secret" not in response.body
        assert not opened(response.body).getexif()
        assert {name: response.headers[name] for name in SAFE} == SAFE
        assert response.headers["Content-Type"] == "image/jpeg"

    @pytest.mark.parametrize(
        ("name", "told"),
        [("half.jpg", "corrupt"), ("huge.png", "too_large"), ("zero.jpg", "corrupt")],
    )
    def test_a_damaged_or_huge_image_has_none(
        self, lab: MaintenanceLab, name: str, told: str
    ) -> None:
        lab.upload(name, pictures.STRANGE[name][0])
        assert code(view(lab).get(item(name, "?width=160"))) == (415, told)
        assert lab.storage.kept_thumbnails() == []

    @pytest.mark.parametrize("width", ["", "0", "161", "160.0", "٣٢٠", "+160", "1e3", "9" * 5_000])
    def test_other_widths_are_refused(self, lab: MaintenanceLab, width: str) -> None:
        lab.upload("a.jpg", JPEG)
        assert refused(view(lab).get, item("a.jpg", f"?width={width}")) == "bad_width"


class TestCache:
    @pytest.mark.parametrize("query", ["", "?width=160"])
    def test_what_the_client_has_is_not_sent_again(self, lab: MaintenanceLab, query: str) -> None:
        lab.upload("a.jpg", JPEG)
        etag = view(lab).get(item("a.jpg", query)).headers["ETag"]
        for match in (etag, f"W/{etag}", f'"x", {etag}', "*"):
            response = view(lab).get(item("a.jpg", query, match))
            assert (response.status, response.body) == (304, b"")
            assert response.headers == {"ETag": etag, "Cache-Control": "private, no-cache"}
        lab.upload("a.jpg", JPEG)
        assert view(lab).get(item("a.jpg", query, etag)).status == 200

    def test_every_width_is_another_version(self, lab: MaintenanceLab) -> None:
        lab.upload("a.jpg", JPEG)
        queries = ("", "?width=160", "?width=320", "?width=640", "?width=1280")
        etags = {view(lab).get(item("a.jpg", query)).headers["ETag"] for query in queries}
        assert len(etags) == len(queries)
        assert all(etag.startswith('"') for etag in etags)

    @pytest.mark.parametrize("width", ["", "&width=160"])
    def test_the_current_version_is_good_for_ever(self, lab: MaintenanceLab, width: str) -> None:
        old = lab.upload("a.jpg", JPEG).etag.strip('"')
        new = lab.upload("a.jpg", JPEG).etag.strip('"')
        for version, is_current in ((old, False), (new, True), (f"%22{new}%22", True), ("", False)):
            response = view(lab).get(item("a.jpg", f"?version={version}{width}"))
            kept = "private, max-age=31536000, immutable" if is_current else "private, no-cache"
            assert response.headers["Cache-Control"] == kept

    def test_what_requests_cost(self, lab: MaintenanceLab) -> None:
        """Calls of storage: a 304 one, a kept thumbnail and an image two."""
        lab.record(lab.upload("a.jpg", JPEG))
        images, sent = lab.storage.recorded_images()
        catalog, asked = lab.storage.recorded_catalog()
        assert catalog.is_there()  # reads the layout, which a process does once
        asked.clear()
        recorded = view(
            lab,
            images=images,
            records=catalog,
            thumbnails=lab.storage.recorded_thumbnails(sent),
        )

        def cost(request: Request) -> tuple[int, list[str]]:
            sent.clear()
            return recorded.get(request).status, list(sent)

        made = ["HEAD", "GET", "GET", "PUT", "HEAD", "GET"]
        assert cost(item("a.jpg", "?width=320")) == (200, made)
        assert cost(item("a.jpg", "?width=320")) == (200, ["HEAD", "GET"])
        assert cost(item("a.jpg")) == (200, ["HEAD", "GET"])
        assert cost(item("a.jpg", "", "*")) == (304, ["HEAD"])
        assert cost(item("a.jpg", "?width=320", "*")) == (304, ["HEAD"])
        assert cost(item("nothing.jpg")) == (404, ["HEAD"])
        assert asked == []
        identity = f"sha256:{record_id('a.jpg')}"
        assert cost(item(identity, "?width=320")) == (200, ["HEAD", "GET"])
        assert asked == ["GET"]


class TestKept:
    def test_a_thumbnail_is_made_once(self, lab: MaintenanceLab) -> None:
        lab.upload("a.jpg", JPEG)
        first = view(lab).get(item("a.jpg", "?width=160"))

        def never(*_: object) -> bytes:
            raise AssertionError

        assert view(lab, thumbnail=never).get(item("a.jpg", "?width=160")) == first
        assert len(lab.storage.kept_thumbnails()) == 1

    def test_an_overwritten_image_shows_its_new_thumbnail_and_keeps_no_old_one(
        self, lab: MaintenanceLab
    ) -> None:
        lab.upload("a.jpg", pictures.encoded(pictures.quadrants(800, 600), "JPEG"))
        lab.upload("b.jpg", JPEG)
        for width in (160, 320):
            shown(lab, f"?width={width}")
        shown(lab, "?width=160", "b.jpg")
        assert len(lab.storage.kept_thumbnails()) == 3
        blob = lab.upload("a.jpg", pictures.encoded(pictures.quadrants(800, 400), "JPEG"))
        assert shown(lab, "?width=160").size == (160, 80)
        kept = [name for name in lab.storage.kept_thumbnails() if name[:64] == record_id("a.jpg")]
        assert kept == [f"{record_id('a.jpg')}/{blob.etag.strip(chr(34))}/160"]

    def test_an_overwrite_while_it_is_read_shows_the_new_image(self, lab: MaintenanceLab) -> None:
        lab.upload("a.jpg", JPEG)
        new = pictures.encoded(pictures.quadrants(300, 300), "PNG")
        for query, size in (("", (300, 300)), ("?width=160", (160, 160))):
            between = InterceptedOnce(
                lab.storage.images, "read", lambda: lab.storage.upload("a.jpg", new)
            )
            assert shown(lab, query, images=between).size == size

    def test_an_image_that_changes_all_the_time_is_asked_for_later(
        self, lab: MaintenanceLab
    ) -> None:
        lab.upload("a.jpg", JPEG)
        images = Uncooperative(lab)
        assert code(view(lab, images=images).get(item("a.jpg"))) == (503, "unavailable")
        assert images.looks == LOOKS

    @pytest.mark.parametrize("query", ["", "?width=160"])
    def test_one_that_is_deleted_while_it_is_read_is_not_there(
        self, lab: MaintenanceLab, query: str
    ) -> None:
        lab.upload("a.jpg", JPEG)
        between = InterceptedOnce(lab.storage.images, "read", lambda: lab.storage.delete("a.jpg"))
        response = view(lab, images=between).get(item("a.jpg", query))
        assert code(response) == (404, "not_found")
        assert lab.storage.kept_thumbnails() == []

    def test_one_that_is_deleted_while_its_thumbnail_is_made_leaves_none(
        self, lab: MaintenanceLab
    ) -> None:
        """All that is kept of it was removed before the thumbnail is stored."""
        lab.record(lab.upload("a.jpg", JPEG))

        def deleted() -> None:
            lab.storage.delete("a.jpg")
            lab.cleanup().forget("a.jpg")

        between = InterceptedOnce(lab.storage.thumbnails, "put", deleted)
        assert view(lab, thumbnails=between).get(item("a.jpg", "?width=160")).status == 200
        assert lab.storage.kept_thumbnails() == []

    def test_a_blob_that_is_deleted_elsewhere_loses_its_thumbnails(
        self, lab: MaintenanceLab
    ) -> None:
        """With a record and without."""
        lab.record(lab.upload("a.jpg", JPEG))
        lab.upload("b.jpg", JPEG)
        for path in ("a.jpg", "b.jpg"):
            shown(lab, "?width=160", path)
            lab.storage.delete(path)
            lab.cleanup().forget(path)
        assert lab.storage.kept_thumbnails() == []

    def test_a_thumbnail_that_cannot_be_kept_is_shown_all_the_same(
        self, lab: MaintenanceLab, caplog: pytest.LogCaptureFixture
    ) -> None:
        lab.upload("a.jpg", JPEG)

        def trouble() -> None:
            raise StorageUnavailable("storage answered 503")

        between = InterceptedOnce(lab.storage.thumbnails, "put", trouble)
        assert shown(lab, "?width=160", thumbnails=between).size == (160, 120)
        assert "not stored: storage answered 503" in caplog.text

    def test_a_missing_container_holds_none(self, lab: MaintenanceLab) -> None:
        blob = lab.upload("a.jpg", JPEG)
        lab.record(blob)
        with ContainerClient.from_connection_string(
            lab.storage.connection, f"{lab.storage.name}-thumbnails"
        ) as container:
            container.delete_container()
        assert lab.storage.thumbnails.get(blob, 160) is None
        assert shown(lab, "?width=160").size == (160, 120)
        lab.storage.delete("a.jpg")
        assert lab.cleanup().forget("a.jpg")


def test_a_thumbnail_is_smaller_than_the_picture() -> None:
    data = pictures.encoded(Image.effect_noise((4_000, 3_000), 50), "JPEG")
    assert len(thumbnail(data, 320)) < len(data) / 50
    assert Image.open(io.BytesIO(thumbnail(data, 320))).size == (320, 240)
