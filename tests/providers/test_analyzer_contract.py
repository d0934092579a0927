"""What every vision provider does: Azure 4.0 and 3.2 at the wire, and the embedded one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from captioning.domain.record import Box, ImageAnalysis
from captioning.embedded.providers.vision import EmbeddedVision
from captioning.errors import CorruptImage, ImageRejected, ImageTooLarge, ImageTooSmall
from captioning.images.rendition import Rendition
from captioning.providers import ImageAnalyzer
from captioning.resilience.calls import PLAIN
from captioning.vision.features import supported_features
from testing.factories.renditions import photo, rendition, sample
from testing.fakes.calls import RecordedCalls
from testing.services.vision_clients import KEY, VisionService

NewAnalyzer = Callable[[float], ImageAnalyzer]


@pytest.fixture(scope="module")
def service() -> Iterator[VisionService]:
    with VisionService() as service:
        yield service


@pytest.fixture(params=["azure 4.0", "azure 4.0 with brands", "azure 3.2", "embedded"])
def new_analyzer(request: pytest.FixtureRequest, service: VisionService) -> NewAnalyzer:
    """A provider with a confidence threshold."""
    keywords = {
        "azure 4.0": {"api": "4.0", "features": ("tags", "objects", "read")},
        "azure 4.0 with brands": {"api": "4.0", "features": ("tags", "brands")},
        "azure 3.2": {"api": "3.2", "features": ("tags", "objects", "read")},
    }.get(request.param)
    if keywords is None:
        return lambda threshold: EmbeddedVision(min_confidence=threshold)
    return lambda threshold: service.client(**keywords, min_confidence=threshold)


@pytest.fixture
def analyzer(new_analyzer: NewAnalyzer) -> ImageAnalyzer:
    return new_analyzer(0.6)


def _boxes(seen: ImageAnalysis) -> list[Box]:
    objects = (*seen.objects, *seen.brands, *seen.people)
    return [*(item.box for item in objects), *(line.box for line in seen.text)]


def test_identity_says_what_decides_the_answers(new_analyzer: NewAnalyzer) -> None:
    identity = new_analyzer(0.6).identity
    assert identity == new_analyzer(0.6).identity
    assert identity != new_analyzer(0.7).identity
    assert identity.startswith(("azure ", "embedded "))
    assert KEY not in identity
    assert "127.0.0.1" not in identity


@pytest.mark.parametrize("provider", ["azure 4.0", "azure 3.2", "embedded"])
def test_the_features_decide_what_is_looked_for(provider: str, service: VisionService) -> None:
    def asked(*features: str) -> ImageAnalyzer:
        if provider == "embedded":
            return EmbeddedVision(features=features)
        return service.client(api=provider.removeprefix("azure "), features=features)

    tags, text, both = asked("tags"), asked("read"), asked("tags", "read")
    assert len({analyzer.identity for analyzer in (tags, text, both)}) == 3
    image = sample("postcard.jpg")
    assert both.analyze(image, PLAIN).tags == tags.analyze(image, PLAIN).tags != ()
    assert both.analyze(image, PLAIN).text == text.analyze(image, PLAIN).text != ()
    assert not tags.analyze(image, PLAIN).text
    assert not text.analyze(image, PLAIN).tags
    with pytest.raises(ValueError, match=r"VISION_FEATURES (names|has none) "):
        asked()


def test_a_line_of_text_has_words_and_a_place(analyzer: ImageAnalyzer) -> None:
    seen = analyzer.analyze(sample("sign.jpg"), PLAIN)
    assert all(line.text.strip() == line.text != "" for line in seen.text)
    assert all(width > 0 and height > 0 for _, _, width, height in _boxes(seen))


def test_limits_have_room_for_what_is_encoded_anew(analyzer: ImageAnalyzer) -> None:
    limits = analyzer.limits
    assert {"JPEG", "PNG"} <= limits.formats
    assert limits.min_side == 50
    assert limits.max_side >= 1_024
    assert limits.max_bytes >= 1_000_000


@pytest.mark.parametrize("name", ["cat.jpg", "coffee.jpg", "camera.jpg"])
def test_a_photo_has_tags_in_order(name: str, analyzer: ImageAnalyzer) -> None:
    image = sample(name)
    seen = analyzer.analyze(image, PLAIN)
    confidences = [tag.confidence for tag in seen.tags]
    assert confidences
    assert confidences == sorted(confidences, reverse=True)
    assert all(0.6 <= confidence <= 1 for confidence in confidences)
    assert len({tag.name for tag in seen.tags}) == len(seen.tags)
    assert (seen.width, seen.height) == (image.width, image.height)
    assert seen.provider.startswith(("azure ", "embedded "))
    assert seen == analyzer.analyze(image, PLAIN)


@pytest.mark.parametrize("image", [photo(401, 299), photo(401, 299, "PNG"), sample("sign.jpg")])
def test_boxes_are_whole_pixels_of_the_reported_size(
    image: Rendition, analyzer: ImageAnalyzer
) -> None:
    seen = analyzer.analyze(image, PLAIN)
    for x, y, w, h in _boxes(seen):
        assert 0 <= x <= x + w <= seen.width
        assert 0 <= y <= y + h <= seen.height
        assert {type(x), type(y), type(w), type(h)} == {int}


@pytest.mark.parametrize("applies_exif", [True, False])
@pytest.mark.parametrize("orientation", [1, 5, 6, 7, 8])
def test_the_reported_size_tells_whether_boxes_are_upright(
    orientation: int, applies_exif: bool, analyzer: ImageAnalyzer, service: VisionService
) -> None:
    upright = photo(300, 400) if orientation > 4 else photo(400, 300)
    expected = _boxes(analyzer.analyze(upright, PLAIN))
    service.vision.applies_exif = applies_exif
    image = photo(400, 300, orientation=orientation)
    seen = analyzer.analyze(image, PLAIN)
    service.vision.applies_exif = True
    assert (seen.width, seen.height) in {image.upright, (image.width, image.height)}
    placed = image.to_stored(seen)
    assert (placed.width, placed.height) == image.stored
    assert _boxes(placed) == expected


def test_a_side_under_50_pixels_is_too_small(analyzer: ImageAnalyzer) -> None:
    analyzer.analyze(photo(50, 50), PLAIN)
    for width, height in ((49, 50), (50, 49), (49, 49)):
        with pytest.raises(ImageTooSmall):
            analyzer.analyze(photo(width, height), PLAIN)


def test_a_side_over_the_limit_is_too_large(analyzer: ImageAnalyzer) -> None:
    analyzer.analyze(photo(analyzer.limits.max_side, 50), PLAIN)
    with pytest.raises(ImageTooLarge):
        analyzer.analyze(photo(analyzer.limits.max_side + 1, 50), PLAIN)


@pytest.mark.parametrize("data", [b"plain text", b"\xff\xd8\xff\xe0junk", b"\x89PNG\r\n\x1a\n"])
def test_what_does_not_decode_is_corrupt(data: bytes, analyzer: ImageAnalyzer) -> None:
    with pytest.raises(CorruptImage):
        analyzer.analyze(rendition(data), PLAIN)


def test_nothing_is_rejected(analyzer: ImageAnalyzer) -> None:
    with pytest.raises(ImageRejected):
        analyzer.analyze(rendition(b""), PLAIN)


def test_every_transaction_is_billed_once(analyzer: ImageAnalyzer, service: VisionService) -> None:
    before, calls = service.vision.billed, RecordedCalls()
    analyzer.analyze(photo(), calls)
    assert len(calls.features) == service.vision.billed - before
    assert len(calls.features) == len(set(calls.features))
    assert set(calls.features) <= set(supported_features("4.0"))


def test_threads_share_an_analyzer(new_analyzer: NewAnalyzer) -> None:
    fresh, image = new_analyzer(0.6), sample("postcard.jpg")
    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(lambda _: fresh.analyze(image, PLAIN), range(16)))
    assert len(answers) == 1
