"""Support: what the evidence carries of a caption, what it cannot judge, and how well it does."""

from __future__ import annotations

import json

import pytest

from captioning.api.captions import CaptionApi
from captioning.api.messages import Request
from captioning.cli.console import record_lines
from captioning.domain.record import (
    CaptionText,
    DetectedObject,
    ImageAnalysis,
    Support,
    Tag,
    TextLine,
)
from captioning.records.edits import edited
from captioning.support.lexicon import DATA, broader_terms
from captioning.support.score import SupportScorer
from captioning.support.spelling import edits
from testing.factories import pictures
from testing.factories.records import START, short
from testing.harness.pipeline import PipelineLab, on
from testing.services.chat_replies import completion
from testing.services.vision_scene import Scene

BOX = (0, 0, 1, 1)
WITNESS = SupportScorer(("tags", "objects", "read"), 0.7)


def seen(tags: str = "", objects: str = "", text: str = "") -> ImageAnalysis:
    """An analysis with these names."""
    return ImageAnalysis(
        "azure",
        10,
        10,
        tags=tuple(Tag(name, 0.9) for name in tags.split(",") if name),
        objects=tuple(DetectedObject(name, 0.9, BOX) for name in objects.split(",") if name),
        text=tuple(TextLine(line, BOX) for line in text.split("|") if line),
    )


def support(caption: str, analysis: ImageAnalysis | None, language: str = "en") -> Support | None:
    return WITNESS.support(CaptionText(caption, ""), language, analysis)


class TestJudging:
    @pytest.mark.parametrize(
        ("caption", "score", "unsupported"),
        [
            ("A dog on the grass.", 1.0, ()),
            ("An animal.", 1.0, ()),
            ("A poodle.", 0.5, ()),
            ("A dog chases a frisbee.", 0.5, ("frisbee",)),
            ("A field without dogs.", 0.25, ("dogs",)),
            ("A dog, with no people.", 1.0, ()),
            ("There are five dogs.", 0.5, ("five",)),
            ("A happy brown dog with big ears runs.", 1.0, ()),
        ],
    )
    def test_words(self, caption: str, score: float, unsupported: tuple[str, ...]) -> None:
        found = support(caption, seen("dog,animal,grass", "dog,dog"))
        assert found == Support(score, unsupported)

    @pytest.mark.parametrize(
        ("caption", "analysis", "language"),
        [
            ("A dog.", None, "en"),
            ("A dog.", seen(), "en"),
            ("Ein Hund.", seen("dog"), "de"),
            ("Running happily.", seen("dog"), "en"),
            ("A dog.", seen(text="SALE"), "en"),
            ("", seen("dog"), "en"),
        ],
    )
    def test_what_cannot_be_judged_has_none(
        self, caption: str, analysis: ImageAnalysis | None, language: str
    ) -> None:
        assert support(caption, analysis, language) is None

    def test_text_is_judged_only_where_it_was_looked_for(self) -> None:
        text = CaptionText('A sign that says "SALE".', "")
        blind_one = SupportScorer(("tags",), 0.7)
        found = blind_one.support(text, "en", seen("sign"))
        assert found == Support(1.0)
        read = support(text.caption, seen("sign"))
        assert read == Support(0.5, ("SALE",))

    @pytest.mark.parametrize(
        "caption",
        ["\x00", "“" * 500, "a" * 5_000, "no " * 800, "5" * 4_000 + " dogs", "é̂" * 300, "٣٣ dogs",
         "²³ dogs in ½ 1.2.3,4"],
    )  # fmt: skip
    def test_odd_text_is_judged_or_not_and_raises_nothing(self, caption: str) -> None:
        for language in ("en", "de", "zh-Hant", ""):
            support(caption, seen("dog,\x00", "dog", caption), language)

    def test_near_spelling_is_bounded(self) -> None:
        assert edits("harbor", "harbour", 1) == 1
        assert edits("sale", "salt", 1) == 1
        assert edits("kitten", "sitting", 2) > 2


class TestTable:
    def test_it_is_small_and_comes_with_its_licence(self) -> None:
        assert sum(file.stat().st_size for file in DATA.iterdir()) < 300_000
        assert "Princeton" in (DATA / "wordnet-licence.txt").read_text("utf-8")

    def test_what_is_too_general_is_left_out(self) -> None:
        table = broader_terms()
        general = {"entity", "artifact", "whole", "instrumentality", "device", "structure"}
        for word in ("dog", "car", "chair", "bridge", "laptop"):
            [*concepts] = table.concepts(word)
            assert concepts
            assert not any(general & table.ancestors(concept) for concept in concepts)


def answer(lab: PipelineLab, caption: str, *, decorative: bool = False) -> None:
    texts = {
        language: {"caption": said, "alt_text": "" if decorative else said, "description": ""}
        for language, said in (("en", caption), ("de", "Etwas auf Deutsch."))
    }
    lab.model.faults.append(completion(json.dumps({"decorative": decorative, "texts": texts})))


class TestOnTheRecord:
    def test_a_doubtful_caption_is_for_review_and_found_so(self, lab: PipelineLab) -> None:
        lab.storage.upload("a.jpg", pictures.oriented(1))
        lab.local_vision.scene = lambda _: Scene(text=())
        answer(lab, "A dragon beside a submarine.")
        record = lab.pipeline(threshold=0.7).process(on("a.jpg"))
        assert record
        assert (record.review, record.support) == (
            "needed",
            Support(0.0, ("dragon", "submarine")),
        )
        listed = CaptionApi(lab.storage.catalog).list_captions(
            Request("https://a.example/api/captions?review=needed")
        )
        assert b'"a.jpg"' in listed.body
        assert "support" in "".join(record_lines(record))
        lab.storage.upload("b.jpg", pictures.oriented(1))
        copy = lab.pipeline(threshold=0.0).process(on("b.jpg"))
        assert copy
        assert (copy.review, copy.support) == ("none", record.support)
        assert copy.provenance.reused_from == "a.jpg"

    def test_a_decorative_picture_has_none(self, lab: PipelineLab) -> None:
        lab.storage.upload("a.jpg", pictures.oriented(1))
        answer(lab, "A dragon.", decorative=True)
        record = lab.pipeline(threshold=1.0).process(on("a.jpg"))
        assert record
        assert record.decorative
        assert record.support is None

    def test_what_people_wrote_is_not_doubted(self) -> None:
        judged = short("a.jpg", support=Support(0.1, ("dragon",)), review="needed")
        assert edited(judged, {"caption": "Mila."}, START).support is None
        assert edited(judged, {"tags": []}, START).support == judged.support
        assert edited(judged, {"caption": "Mila."}, START).review == "needed"
