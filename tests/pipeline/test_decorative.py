"""A decorative verdict against what was found: who has to look at it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from captioning.domain.messages import CaptionMessage
from captioning.domain.record import Captioning, DetectedObject, ImageAnalysis, Tag, TextLine
from captioning.pipeline.transitions import doubt
from captioning.records.edits import edited
from testing.factories import pictures
from testing.factories.records import START, short
from testing.harness.pipeline import PipelineLab
from testing.services.vision_scene import Scene

BOX = (0, 0, 10, 10)
DECORATIVE = Captioning("m", {}, decorative=True)
DIVIDER = {"caption": "A divider.", "alt_text": "", "description": ""}


def found(**kinds: Any) -> ImageAnalysis:
    return ImageAnalysis("azure", 100, 100, tags=(Tag("pattern", 0.9),), **kinds)


@pytest.mark.parametrize(
    ("analysis", "named"),
    [
        (found(text=(TextLine("SALE", BOX),)), "text"),
        (found(people=(DetectedObject("person", 0.9, BOX),)), "people"),
        (found(objects=(DetectedObject("person", 0.9, BOX),)), "people"),
        (found(objects=(DetectedObject("dog", 0.9, BOX),)), "objects"),
        (
            found(
                text=(TextLine("7", BOX),),
                objects=(DetectedObject("dog", 0.9, BOX),),
                brands=(DetectedObject("Contoso", 0.9, BOX),),
            ),
            "text, objects, brands",
        ),
    ],
)
def test_what_speaks_against_it_is_named(analysis: ImageAnalysis, named: str) -> None:
    expected = f"Called decorative, although there is more in it: {named}."
    assert doubt(short("a.jpg"), DECORATIVE, analysis) == expected


@pytest.mark.parametrize("analysis", [None, found(), found(text=(TextLine("~ ~ ~", BOX),))])
def test_where_nothing_speaks_against_it_there_is_no_doubt(analysis: ImageAnalysis | None) -> None:
    assert doubt(short("a.jpg"), DECORATIVE, analysis) is None


def test_only_a_decorative_verdict_of_the_model_is_doubted() -> None:
    full = found(text=(TextLine("SALE", BOX),))
    assert doubt(short("a.jpg"), Captioning("m", {}), full) is None
    by_a_person = edited(short("a.jpg"), {"decorative": True}, START)
    assert doubt(by_a_person, DECORATIVE, full) is None


@pytest.mark.parametrize(
    ("scene", "review"),
    [(Scene(), "needed"), (Scene(objects=(), text=(), brands=(), people=()), "none")],
)
def test_the_record_asks_for_a_person(lab: PipelineLab, scene: Scene, review: str) -> None:
    lab.local_vision.scene = lambda _: scene
    answer = {"decorative": True, "texts": {"en": DIVIDER, "de": DIVIDER}}
    lab.chat_service.script.append(json.dumps(answer))
    lab.storage.upload("a.jpg", pictures.oriented(1))
    record = lab.pipeline().process(CaptionMessage("a.jpg"))
    assert record
    assert (record.status, record.decorative, record.alt_text) == ("captioned", True, "")
    assert record.review == review
    assert ("although" in (record.note or "")) == (review == "needed")
