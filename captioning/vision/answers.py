"""Reading what Azure AI Vision 4.0 and 3.2 answer into one `ImageAnalysis`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar

from captioning.captioner.rules import JOINERS, visible
from captioning.domain.record import Box, DetectedObject, ImageAnalysis, Tag, TextLine
from captioning.images.rendition import Rendition
from captioning.vision.vision_shapes import (
    Adult,
    Answer32,
    Answer40,
    Metadata,
    Named,
    Phrase,
    Read40,
    ReadPage,
    ReadResult,
    Values,
    parse,
)

T = TypeVar("T")


def read_v40(document: Any, image: Rendition, min_confidence: float) -> ImageAnalysis:
    """The answer of `imageanalysis:analyze`. A whole-image caption is kept whatever its
    confidence (the documentation's own right one has 0.48); all else meets the threshold."""
    answer = parse(Answer40, document)
    dense = (
        caption
        for caption in _values(answer.dense_captions_result)
        if caption.confidence >= min_confidence
    )
    caption = (answer.caption_result,) if answer.caption_result else ()
    found = (item for each in _values(answer.objects_result) for item in each.detected())
    people = (
        DetectedObject("person", person.confidence, person.bounding_box.box())
        for person in _values(answer.people_result)
    )
    width, height = _size(answer.metadata, image)
    return ImageAnalysis(
        provider=f"azure 4.0 {answer.model_version or ''}".rstrip(),
        width=width,
        height=height,
        tags=_tags(_values(answer.tags_result), min_confidence),
        objects=_confident(found, min_confidence),
        text=tuple(_lines(answer.read_result)),
        people=_confident(people, min_confidence),
        captions=_texts((*caption, *dense)),
    )


def read_v32(document: Any, image: Rendition, min_confidence: float) -> ImageAnalysis:
    """The answer of 3.2 `analyze`; captions as with 4.0."""
    answer = parse(Answer32, document)
    found = (
        DetectedObject(item.object_, item.confidence, item.rectangle.box())
        for item in answer.objects or ()
    )
    brands = (
        DetectedObject(brand.name, brand.confidence, brand.rectangle.box())
        for brand in answer.brands or ()
    )
    captions = (answer.description and answer.description.captions) or ()
    width, height = _size(answer.metadata, image)
    return ImageAnalysis(
        provider=f"azure 3.2 {answer.model_version or ''}".rstrip(),
        width=width,
        height=height,
        tags=_tags(answer.tags or (), min_confidence),
        objects=_confident(found, min_confidence),
        brands=_confident(brands, min_confidence),
        captions=_texts(captions),
        adult=_flags(answer.adult),
    )


def read_result(result: ReadResult, image: Rendition) -> ImageAnalysis:
    """A finished 3.2 Read operation: the first page's lines (an image has one)."""
    analyzed = result.analyze_result
    page = next(iter((analyzed and analyzed.read_results) or ()), ReadPage())
    version = (analyzed and analyzed.model_version) or ""
    return ImageAnalysis(
        provider=f"azure 3.2 read {version}".rstrip(),
        width=round(page.width or image.width),
        height=round(page.height or image.height),
        text=tuple(
            TextLine(_shown(line.text), bounding_box(_corners(line.bounding_box)))
            for line in page.lines or ()
        ),
    )


def merged(parts: list[ImageAnalysis], image: Rendition) -> ImageAnalysis:
    """One analysis of what several calls found. Where they report different sizes (one applied
    the EXIF orientation, one did not) their boxes are brought to the stored image's pixels."""
    if len({(part.width, part.height) for part in parts}) > 1:
        parts = [image.to_stored(part) for part in parts]
    return replace(
        parts[0],
        provider=" + ".join(part.provider for part in parts),
        tags=tuple(tag for part in parts for tag in part.tags),
        objects=tuple(item for part in parts for item in part.objects),
        text=tuple(line for part in parts for line in part.text),
        brands=tuple(item for part in parts for item in part.brands),
        people=tuple(item for part in parts for item in part.people),
        captions=tuple(dict.fromkeys(text for part in parts for text in part.captions)),
        adult=tuple(flag for part in parts for flag in part.adult),
    )


def bounding_box(points: Iterable[tuple[float, float]]) -> Box:
    """The upright box around a polygon."""
    xs, ys = zip(*points, strict=True)
    left, top = round(min(xs)), round(min(ys))
    return (left, top, round(max(xs)) - left, round(max(ys)) - top)


def _corners(numbers: list[float]) -> Iterable[tuple[float, float]]:
    return zip(numbers[::2], numbers[1::2], strict=True)


def _values(result: Values[T] | None) -> Iterable[T]:
    return (result and result.values) or ()


def _size(metadata: Metadata | None, image: Rendition) -> tuple[int, int]:
    """The size the service reports; else the pixels it was sent."""
    width, height = (metadata.width, metadata.height) if metadata else (None, None)
    return (width, height) if width and height else (image.width, image.height)


def _tags(tags: Iterable[Named], threshold: float) -> tuple[Tag, ...]:
    kept = (Tag(tag.name, tag.confidence) for tag in tags if tag.confidence >= threshold)
    return tuple(sorted(kept, key=lambda tag: -tag.confidence))


def _confident(found: Iterable[DetectedObject], threshold: float) -> tuple[DetectedObject, ...]:
    kept = (item for item in found if item.confidence >= threshold)
    return tuple(sorted(kept, key=lambda item: -item.confidence))


def _lines(read: Read40 | None) -> Iterable[TextLine]:
    """Lines of text; one without a polygon has the box (0, 0, 0, 0)."""
    for block in (read and read.blocks) or ():
        for line in block.lines or ():
            corners = [(point.x, point.y) for point in line.bounding_polygon or ()]
            yield TextLine(_shown(line.text), bounding_box(corners or [(0, 0)]))


def _shown(text: str) -> str:
    """What a person sees of it: nothing hides in the text of a record."""
    return visible(text, keep=JOINERS)


def _texts(captions: Iterable[Phrase]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(caption.text for caption in captions if caption.text))


def _flags(adult: Adult | None) -> tuple[str, ...]:
    if adult is None:
        return ()
    flags = {
        "adult": adult.is_adult_content,
        "racy": adult.is_racy_content,
        "gory": adult.is_gory_content,
    }
    return tuple(name for name, raised in flags.items() if raised)
