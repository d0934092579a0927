"""Reading what Azure AI Vision 4.0 and 3.2 answer into one `ImageAnalysis`.

The shapes are those of its documentation. Nearly everything may be missing or null; what is there
has the documented type.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic.alias_generators import to_camel

from captioning.domain.record import Box, DetectedObject, ImageAnalysis, Tag, TextLine
from captioning.errors import BadResponse, ServiceUnavailable
from captioning.images.rendition import Rendition
from captioning.text.visible import JOINERS, visible

Number = Annotated[float, Field(allow_inf_nan=False)]
T = TypeVar("T")
Shape = TypeVar("Shape", bound="Wire")


def _pairs(numbers: list[float]) -> list[float]:
    if len(numbers) % 2:
        raise ValueError("an odd number of coordinates")
    return numbers


def _sound(items: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """The items that have the documented shape: a bad one spoils only itself."""
    if not isinstance(items, list):
        return validate(items)
    found = []
    for item in items:
        with suppress(ValidationError):
            found += validate([item])
    return found


Items = Annotated[list[T], WrapValidator(_sound)]


class Wire(BaseModel):
    """Part of an answer: camelCase names, no coercion; what is unknown is ignored."""

    model_config = ConfigDict(strict=True, alias_generator=to_camel)


class Rect(Wire):
    x: Number
    y: Number
    w: Number
    h: Number

    def box(self) -> Box:
        return (round(self.x), round(self.y), round(self.w), round(self.h))


class Point(Wire):
    x: Number
    y: Number


class Named(Wire):
    name: str
    confidence: Number


class Phrase(Wire):
    text: str
    confidence: Number = 0.0


class Metadata(Wire):
    width: Number | None = None
    height: Number | None = None


class Values(Wire, Generic[T]):
    values: Items[T] | None = None


class Object40(Wire):
    bounding_box: Rect
    tags: Items[Named] | None = None

    def detected(self) -> Iterable[DetectedObject]:
        """The object under its most confident name; nothing when it has none."""
        for tag in sorted(self.tags or (), key=lambda tag: -tag.confidence)[:1]:
            yield DetectedObject(tag.name, tag.confidence, self.bounding_box.box())


class Person(Wire):
    bounding_box: Rect
    confidence: Number


class Line40(Wire):
    text: str
    bounding_polygon: list[Point] | None = None


class Block(Wire):
    lines: Items[Line40] | None = None


class Read40(Wire):
    blocks: Items[Block] | None = None


class Answer40(Wire):
    model_version: str | None = None
    metadata: Metadata | None = None
    caption_result: Phrase | None = None
    dense_captions_result: Values[Phrase] | None = None
    tags_result: Values[Named] | None = None
    objects_result: Values[Object40] | None = None
    people_result: Values[Person] | None = None
    read_result: Read40 | None = None


class Object32(Wire):
    object_: str = Field(alias="object")
    confidence: Number
    rectangle: Rect


class Brand(Wire):
    name: str
    confidence: Number
    rectangle: Rect


class Adult(Wire):
    is_adult_content: bool = False
    is_racy_content: bool = False
    is_gory_content: bool = False


class Description(Wire):
    captions: Items[Phrase] | None = None


class Answer32(Wire):
    model_version: str | None = None
    metadata: Metadata | None = None
    tags: Items[Named] | None = None
    objects: Items[Object32] | None = None
    brands: Items[Brand] | None = None
    description: Description | None = None
    adult: Adult | None = None


class ReadLine(Wire):
    """`bounding_box` is x, y of each corner in turn."""

    text: str
    bounding_box: Annotated[list[Number], AfterValidator(_pairs), Field(min_length=2)]


class ReadPage(Wire):
    width: Number | None = None
    height: Number | None = None
    lines: Items[ReadLine] | None = None


class ReadPages(Wire):
    model_version: str | None = None
    read_results: Items[ReadPage] | None = None


class ReadResult(Wire):
    """A 3.2 Read operation: `notStarted`, `running`, `failed` or `succeeded`."""

    status: str
    analyze_result: ReadPages | None = None


def parse(shape: type[Shape], document: Any) -> Shape:
    """The document as `shape`, or BadResponse."""
    try:
        return shape.model_validate(document)
    except ValidationError:  # its text quotes the answer
        raise BadResponse(
            "Azure AI Vision's answer has a shape this app does not know: check VISION_API and"
            " that VISION_ENDPOINT is a Vision resource"
        ) from None


RESULT_40 = {
    "tags": "tagsResult",
    "objects": "objectsResult",
    "people": "peopleResult",
    "read": "readResult",
    "caption": "captionResult",
    "denseCaptions": "denseCaptionsResult",
}
"""By feature of 4.0: the name of its result."""


def with_any(results: Iterable[str], document: Any) -> Any:
    """The document, if it is an object with one of these results; ServiceUnavailable for an object
    that has none: an error in the place of an answer."""
    if isinstance(document, dict) and not any(name in document for name in results):
        raise ServiceUnavailable("Azure AI Vision's answer has no result that was asked for.")
    return document


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
    return (round(width), round(height)) if width and height else (image.width, image.height)


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
