"""The embedded provider: what it says of the samples, and how it looks at a picture."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable

import pytest
from PIL import Image

from captioning.domain.record import Tag
from captioning.embedded.providers.vision import FEATURES, MODEL, EmbeddedVision
from captioning.errors import CorruptImage, ImageTooLarge
from captioning.images.rendition import Rendition
from testing.factories.renditions import photo, rendition, sample
from testing.paths import SAMPLES


@pytest.fixture(scope="module")
def tagger() -> EmbeddedVision:
    return EmbeddedVision()


def _names(tagger: EmbeddedVision, image: Rendition) -> list[str]:
    return [tag.name for tag in tagger.analyze(image).tags]


def _edited(name: str, kind: str, edit: Callable[[Image.Image], Image.Image]) -> Rendition:
    file = io.BytesIO()
    with Image.open(SAMPLES / name) as picture:
        edited = edit(picture)
        edited.save(file, kind)
    return rendition(file.getvalue(), *edited.size)


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("cat.jpg", ["animal", "mammal", "feline", "cat"]),
        ("coffee.jpg", ["food", "drink", "espresso"]),
        ("camera.jpg", ["tripod"]),
        ("rocket.jpg", []),  # the model has no class for it, and knows that it does not know
        ("astronaut.jpg", []),
        ("postcard.jpg", ["food", "drink", "espresso"]),
        ("sign.jpg", []),
        ("page.jpg", []),
    ],
)
def test_the_samples(name: str, tags: list[str], tagger: EmbeddedVision) -> None:
    assert _names(tagger, sample(name)) == tags


def test_a_broader_term_is_as_probable_as_its_classes_together() -> None:
    confidence = {tag.name: tag.confidence for tag in _everything(sample("cat.jpg"))}
    assert confidence["cat"] > 0.9
    assert max(confidence["Egyptian cat"], confidence["tabby"]) < 0.6
    assert confidence["animal"] >= confidence["mammal"] >= confidence["cat"]


def test_of_equally_probable_terms_the_most_specific_is_first() -> None:
    labels = json.loads((MODEL / "imagenet1k-labels.json").read_text())["labels"]
    classes = Counter(name for label in labels for name in {label["label"], *label["broader"]})
    ranked = [(-tag.confidence, classes[tag.name]) for tag in _everything(sample("camera.jpg"))]
    assert ranked == sorted(ranked)
    assert len(ranked) == len(classes)


def test_the_number_of_tags_is_limited() -> None:
    assert len(EmbeddedVision(min_confidence=0.0).analyze(sample("cat.jpg")).tags) == 10


@pytest.mark.parametrize(
    ("kind", "edit"),
    [
        ("JPEG", lambda picture: picture.convert("CMYK")),
        ("PNG", lambda picture: picture.convert("P")),
        ("PNG", lambda picture: picture.convert("RGBA")),
        ("PNG", lambda picture: picture.convert("L")),
        ("PNG", lambda picture: picture.convert("L").convert("I;16").point(lambda x: x * 257)),
    ],
    ids=["CMYK", "palette", "alpha", "grey", "16-bit grey"],
)
def test_every_pixel_format_is_read(
    kind: str, edit: Callable[[Image.Image], Image.Image], tagger: EmbeddedVision
) -> None:
    assert "cat" in _names(tagger, _edited("cat.jpg", kind, edit))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_picture_is_looked_at_upright(orientation: int, tagger: EmbeddedVision) -> None:
    undo = {
        1: lambda p: p.copy(),
        2: lambda p: p.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: lambda p: p.transpose(Image.Transpose.ROTATE_180),
        4: lambda p: p.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: lambda p: p.transpose(Image.Transpose.TRANSPOSE),
        6: lambda p: p.transpose(Image.Transpose.ROTATE_90),
        7: lambda p: p.transpose(Image.Transpose.TRANSVERSE),
        8: lambda p: p.transpose(Image.Transpose.ROTATE_270),
    }
    turned = _edited("cat.jpg", "PNG", undo[orientation])
    image = rendition(turned.data, turned.width, turned.height, orientation)
    seen = tagger.analyze(image)
    straight = tagger.analyze(_edited("cat.jpg", "PNG", undo[1]))
    assert (seen.width, seen.height) == (451, 300) == image.stored
    assert [tag.name for tag in seen.tags] == [tag.name for tag in straight.tags]
    for tag, expected in zip(seen.tags, straight.tags, strict=True):
        assert tag.confidence == pytest.approx(expected.confidence, abs=0.02)


def test_a_page_of_text_is_no_web_site(tagger: EmbeddedVision) -> None:
    """Which is what the tagger alone takes it for: it knows no page."""
    alone = EmbeddedVision(features=("tags",))
    assert _names(alone, sample("page.jpg")) == ["computer", "web site"]
    seen = tagger.analyze(sample("page.jpg"))
    assert (seen.tags, len(seen.text)) == ((), 13)


def test_the_provider_is_named_by_what_it_used() -> None:
    names = {
        ("tags", "objects"): "embedded efficientnet-lite0",
        ("read", "people"): "embedded pp-ocrv6-small",
        FEATURES: "embedded efficientnet-lite0 + pp-ocrv6-small",
    }
    for features, name in names.items():
        assert EmbeddedVision(features=features).analyze(photo()).provider == name


def test_features_that_it_lacks_are_named() -> None:
    with pytest.raises(ValueError, match="VISION_FEATURES has none"):
        EmbeddedVision(features=("objects", "caption"))


def test_half_a_jpeg_is_corrupt(tagger: EmbeddedVision) -> None:
    data = sample("cat.jpg").data
    with pytest.raises(CorruptImage):
        tagger.analyze(rendition(data[: len(data) // 2]))


def test_a_huge_header_is_not_decoded(tagger: EmbeddedVision) -> None:
    data = bytearray(photo(400, 300, "PNG").data)
    data[16:24] = (30_000).to_bytes(4, "big") * 2
    with pytest.raises((ImageTooLarge, CorruptImage)):
        tagger.analyze(rendition(bytes(data)))


def test_the_model_comes_with_its_licence_note() -> None:
    assert "Apache-2.0" in (MODEL / "README.md").read_text()
    assert "WordNet" in (MODEL / "README.md").read_text()


def _everything(image: Rendition) -> tuple[Tag, ...]:
    return EmbeddedVision(min_confidence=0.0, max_tags=10_000).analyze(image).tags
