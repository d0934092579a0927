"""The JSON shapes of Azure AI Vision's answers, 4.0 and 3.2, as its documentation gives them.

Nearly everything may be missing or null; what is there has the documented type.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from captioning.domain.record import Box, DetectedObject
from captioning.errors import BadResponse

Number = Annotated[float, Field(allow_inf_nan=False)]
T = TypeVar("T")
Shape = TypeVar("Shape", bound="Wire")


def _pairs(numbers: list[float]) -> list[float]:
    if len(numbers) % 2:
        raise ValueError("an odd number of coordinates")
    return numbers


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
    width: int | None = None
    height: int | None = None


class Values(Wire, Generic[T]):
    values: list[T] | None = None


class Object40(Wire):
    bounding_box: Rect
    tags: list[Named] | None = None

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
    lines: list[Line40] | None = None


class Read40(Wire):
    blocks: list[Block] | None = None


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
    captions: list[Phrase] | None = None


class Answer32(Wire):
    model_version: str | None = None
    metadata: Metadata | None = None
    tags: list[Named] | None = None
    objects: list[Object32] | None = None
    brands: list[Brand] | None = None
    description: Description | None = None
    adult: Adult | None = None


class ReadLine(Wire):
    """`bounding_box` is x, y of each corner in turn."""

    text: str
    bounding_box: Annotated[list[Number], AfterValidator(_pairs), Field(min_length=2)]


class ReadPage(Wire):
    width: Number | None = None
    height: Number | None = None
    lines: list[ReadLine] | None = None


class ReadPages(Wire):
    model_version: str | None = None
    read_results: list[ReadPage] | None = None


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
