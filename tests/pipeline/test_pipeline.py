"""What happens to one image: what its record holds, and what is not done twice."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest

from captioning.domain.blobs import BlobDescription
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionText, DetectedObject, Tag, TextLine
from captioning.domain.usage import Usage
from captioning.errors import BlobGone
from captioning.export.tabular import write_jsonl
from captioning.search.query import parse
from testing.factories import pictures
from testing.factories.records import START
from testing.harness.pipeline import PipelineLab, on

JPEG = pictures.oriented(1)


def test_a_captioned_record_holds_everything(lab: PipelineLab) -> None:
    blob = lab.storage.upload("2026/a b.jpg", JPEG)
    pipeline = lab.pipeline()
    made = pipeline.process(on("2026/a b.jpg"))
    assert made is not None
    assert lab.stored("2026/a b.jpg").record == made
    assert (made.status, made.review, made.error, made.note) == ("captioned", "none", None, None)
    assert made.caption == "A stand-in caption (en) for cat."
    assert made.alt_text == "Stand-in (en) for cat, “SALE”."
    assert made.description == "A longer stand-in description (en) for cat."
    assert made.translations == {
        "de": CaptionText(
            "Stand-in caption (de): cat.",
            "Stand-in (de): cat, “SALE”.",
            "Longer stand-in description (de): cat.",
        )
    }
    assert made.tags == (Tag("cat", 0.97), Tag("indoor", 0.81))
    assert made.objects == (DetectedObject("cat", 0.9, (40, 60, 120, 120)),)
    assert made.text == (TextLine("SALE", (200, 30, 100, 15)),)
    assert (made.created, made.updated, made.seconds) == (START, START, 1.5)
    assert (made.image.bytes, made.image.etag, made.image.modified) == (
        blob.bytes,
        blob.etag,
        blob.modified,
    )
    assert (made.image.format, made.image.width, made.image.height) == ("JPEG", 400, 300)
    assert (made.image.frames, made.image.sha256) == (1, blob.sha256)
    assert made.image.color == "sRGB"


def test_a_record_lacking_a_language_says_so(lab: PipelineLab) -> None:
    words = {"caption": "A cat.", "alt_text": "A cat: SALE.", "description": "A cat."}
    answer = json.dumps({"decorative": False, "texts": {"en": words, "fr": words}})
    lab.chat_service.script.extend([answer, answer])
    lab.storage.upload("a.jpg", JPEG)
    captioner = lab.captioner(languages=("en", "de", "fr"))
    made = lab.pipeline(captioner=captioner).process(on("a.jpg"))
    assert made is not None
    assert (made.status, made.caption, [*made.translations]) == ("captioned", "A cat.", ["fr"])
    assert (made.review, made.note) == ("needed", "The caption model wrote nothing in de.")
    assert lab.calls == (1, 2)


def test_translations_are_found_and_exported(lab: PipelineLab) -> None:
    """Made in one request, in three languages."""
    texts = {
        name: {"caption": said, "alt_text": f"{said} SALE", "description": said}
        for name, said in {"en": "A cat", "de": "Eine Katze", "fr": "Un chat"}.items()
    }
    lab.chat_service.script.append(json.dumps({"decorative": False, "texts": texts}))
    lab.storage.upload("a.jpg", JPEG)
    languages = ("en", "de", "fr")
    lab.pipeline(captioner=lab.captioner(languages=languages)).process(on("a.jpg"))
    assert len(lab.model.received) == 1
    for word in ("cat", "katze", "chat"):
        found = lab.storage.catalog.walk(parse(f"{word} ", [], languages))
        assert [record.path for record in found] == ["a.jpg"]
    exported = io.StringIO()
    write_jsonl(lab.storage.catalog.walk(), exported)
    assert json.loads(exported.getvalue())["translations"]["fr"] == texts["fr"]


def test_a_record_says_how_it_came_to_be_and_what_it_cost(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    made = lab.pipeline().process(on("a.jpg"))
    assert made is not None
    assert made.provenance.vision is not None
    assert made.provenance.vision.startswith("azure 4.0")
    assert made.provenance.model == "gpt-4o-mini-2024-07-18"
    assert made.provenance.input == "image+tags"
    assert len(made.provenance.fingerprint or "") == 64
    assert lab.local_vision.billed == made.usage.vision_calls == 3
    assert made.usage.input_tokens > 2_833
    assert made.usage.output_tokens > 0
    tokens_usd = made.usage.input_tokens * 0.15e-6 + made.usage.output_tokens * 0.60e-6
    assert made.usage.usd == pytest.approx(0.0035 + tokens_usd)


@pytest.mark.parametrize(("orientation", "applies_exif"), [(3, True), (6, True), (6, False)])
def test_boxes_are_in_pixels_of_the_upright_image(
    lab: PipelineLab, orientation: int, applies_exif: bool
) -> None:
    lab.local_vision.applies_exif = applies_exif
    lab.storage.upload("a.jpg", pictures.oriented(orientation))
    made = lab.pipeline().process(on("a.jpg"))
    assert made is not None
    assert (made.image.width, made.image.height) == (400, 300)
    assert [item.box for item in made.objects] == [(40, 60, 120, 120)]
    assert [line.box for line in made.text] == [(200, 30, 100, 15)]


def test_boxes_fit_the_stored_image_when_vision_saw_a_smaller_one(lab: PipelineLab) -> None:
    scan = pictures.encoded(pictures.quadrants(8000, 4000), "TIFF", compression="tiff_lzw")
    lab.storage.upload("scan.tiff", scan)
    analyzer = lab.analyzer(api="3.2", features=("tags", "objects"))
    made = lab.pipeline(analyzer=analyzer).process(on("scan.tiff"))
    assert made is not None
    assert (made.image.format, made.image.width) == ("TIFF", 8000)
    [box] = [item.box for item in made.objects]
    assert box == pytest.approx((800, 800, 2400, 1600), abs=2)


def test_an_image_with_a_final_record_is_left_alone(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    pipeline = lab.pipeline()
    first, stored = pipeline.process(on("a.jpg")), lab.stored("a.jpg")
    assert pipeline.process(on("a.jpg")) == lab.pipeline().process(on("a.jpg")) == first
    assert lab.calls == (1, 1)
    assert lab.stored("a.jpg") == stored


def test_other_settings_process_it_again_if_the_message_says_so(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    first = lab.pipeline().process(on("a.jpg"))
    lab.clock.advance(24 * 3600)
    assert lab.pipeline("image").process(on("a.jpg")) == first
    assert lab.pipeline("image").process(CaptionMessage("a.jpg", renew="tags")) == first
    second = lab.pipeline("image").process(CaptionMessage("a.jpg", renew="texts"))
    assert first is not None
    assert second is not None
    assert first.provenance.fingerprint != second.provenance.fingerprint
    assert (second.created, second.updated) == (START, START + timedelta(days=1))
    assert lab.calls == (2, 2)


def test_an_overwritten_image_is_processed_again(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    pipeline = lab.pipeline()
    pipeline.process(on("a.jpg"))
    newer = lab.storage.upload("a.jpg", pictures.encoded(pictures.quadrants(800, 600), "PNG"))
    made = pipeline.process(on("a.jpg"))
    assert made is not None
    assert (made.image.etag, made.image.format, made.image.width) == (newer.etag, "PNG", 800)
    assert lab.calls == (2, 2)
    assert lab.stored("a.jpg").record == made


def test_a_blob_that_is_gone_leaves_no_record(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    lab.storage.delete("a.jpg")
    assert lab.pipeline().process(on("a.jpg")) is None
    assert lab.storage.catalog.get("a.jpg") is None
    assert lab.calls == (0, 0)


def test_a_blob_deleted_before_it_is_read_leaves_no_record(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)

    class Vanishing:
        """The container; the blob is deleted once it has been described."""

        def describe(self, path: str) -> BlobDescription:
            blob = lab.storage.images.describe(path)
            lab.storage.delete(path)
            return blob

        def read(self, blob: BlobDescription) -> bytes:
            return lab.storage.images.read(blob)

    assert lab.pipeline(images=Vanishing()).process(on("a.jpg")) is None
    assert lab.storage.catalog.get("a.jpg") is None
    with pytest.raises(BlobGone):
        lab.storage.images.describe("a.jpg")


def test_usage_counts_what_was_answered_not_what_was_hoped(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    lab.chat_service.script.append("no JSON at all")
    made = lab.pipeline().process(on("a.jpg"))
    assert made is not None
    assert lab.calls == (1, 2)
    assert made.status == "captioned"
    assert made.usage != Usage()
    assert made.usage.input_tokens > 2 * 2_833
