"""Bodies of Azure AI Vision's answers, as in its documentation and OpenAPI examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from testing.services.vision_scene import Frame, Place, Scene


def analyzed_40(scene: Scene, frame: Frame, features: Iterable[str]) -> dict[str, Any]:
    """The body of Image Analysis 4.0, with the requested results only."""
    body: dict[str, Any] = {"modelVersion": "2023-10-01", "metadata": _size(frame)}
    for feature in features:
        body |= WIRE_40[feature](scene, frame)
    return body


def analyzed_32(scene: Scene, frame: Frame, features: Iterable[str]) -> dict[str, Any]:
    """The body of Analyze 3.2, with the requested results only."""
    body: dict[str, Any] = {}
    for feature in features:
        body |= WIRE_32.get(feature, _nothing)(scene, frame)
    return body | {
        "requestId": "0dbec5ad-a3d3-4f7e-96b4-dfd57efe967d",
        "metadata": _size(frame) | {"format": frame.format.capitalize()},
        "modelVersion": "2021-04-01",
    }


def read_pages(scene: Scene, frame: Frame) -> dict[str, Any]:
    """The body of a finished 3.2 Read operation."""
    lines = [
        {
            "boundingBox": [number for corner in _corners(frame, place) for number in corner],
            "text": text,
            "appearance": {"style": {"name": "other", "confidence": 0.96}},
            "words": [],
        }
        for text, place in scene.text
    ]
    page = {"page": 1, "angle": 0.0, **_size(frame), "unit": "pixel", "lines": lines}
    return {
        "status": "succeeded",
        "createdDateTime": "2021-04-08T21:56:17Z",
        "lastUpdatedDateTime": "2021-04-08T21:56:18Z",
        "analyzeResult": {
            "version": "3.2",
            "modelVersion": "2022-04-30",
            "readResults": [page],
        },
    }


Section = Callable[[Scene, Frame], dict[str, Any]]


def _tags_40(scene: Scene, frame: Frame) -> dict[str, Any]:
    return {"tagsResult": {"values": _tags(scene)}}


def _objects_40(scene: Scene, frame: Frame) -> dict[str, Any]:
    values = [
        {
            "id": str(number),
            "boundingBox": _rectangle(frame, place),
            "tags": [{"name": "thing", "confidence": 0.1}, {"name": name, "confidence": score}],
        }
        for number, (name, score, place) in enumerate(scene.objects)
    ]
    return {"objectsResult": {"values": values}}


def _read_40(scene: Scene, frame: Frame) -> dict[str, Any]:
    lines = []
    for text, place in scene.text:
        polygon = [{"x": x, "y": y} for x, y in _corners(frame, place)]
        words = [{"text": text, "boundingPolygon": polygon, "confidence": 0.99}]
        lines.append({"text": text, "boundingPolygon": polygon, "words": words})
    return {"readResult": {"blocks": [{"lines": lines}] if lines else []}}


def _caption_40(scene: Scene, frame: Frame) -> dict[str, Any]:
    return {"captionResult": _phrase(scene.caption)}


def _dense_40(scene: Scene, frame: Frame) -> dict[str, Any]:
    whole = _rectangle(frame, (0, 0, 1, 1))
    values = [_phrase(phrase) | {"boundingBox": whole} for phrase in scene.dense]
    return {"denseCaptionsResult": {"values": values}}


def _people_40(scene: Scene, frame: Frame) -> dict[str, Any]:
    values = [
        {"boundingBox": _rectangle(frame, place), "confidence": score}
        for score, place in scene.people
    ]
    return {"peopleResult": {"values": values}}


def _tags_32(scene: Scene, frame: Frame) -> dict[str, Any]:
    return {"tags": _tags(scene)}


def _objects_32(scene: Scene, frame: Frame) -> dict[str, Any]:
    objects = [
        {
            "rectangle": _rectangle(frame, place),
            "object": name,
            "confidence": score,
            "parent": {"object": "thing", "confidence": 0.95},
        }
        for name, score, place in scene.objects
    ]
    return {"objects": objects}


def _brands_32(scene: Scene, frame: Frame) -> dict[str, Any]:
    brands = [
        {"name": name, "confidence": score, "rectangle": _rectangle(frame, place)}
        for name, score, place in scene.brands
    ]
    return {"brands": brands}


def _description_32(scene: Scene, frame: Frame) -> dict[str, Any]:
    tags = [name for name, _ in scene.tags]
    return {"description": {"tags": tags, "captions": [_phrase(scene.caption)]}}


def _adult_32(scene: Scene, frame: Frame) -> dict[str, Any]:
    flags = {"isAdultContent": False, "isRacyContent": scene.racy, "isGoryContent": False}
    return {"adult": flags | {"adultScore": 0.0934, "racyScore": 0.0686, "goreScore": 0.0128}}


def _nothing(scene: Scene, frame: Frame) -> dict[str, Any]:
    return {}


WIRE_40: dict[str, Section] = {
    "tags": _tags_40,
    "objects": _objects_40,
    "read": _read_40,
    "caption": _caption_40,
    "denseCaptions": _dense_40,
    "people": _people_40,
    "smartCrops": _nothing,
}
WIRE_32: dict[str, Section] = {
    "Tags": _tags_32,
    "Objects": _objects_32,
    "Brands": _brands_32,
    "Description": _description_32,
    "Adult": _adult_32,
}


def _tags(scene: Scene) -> list[dict[str, Any]]:
    return [{"name": name, "confidence": score} for name, score in scene.tags]


def _phrase(phrase: tuple[str, float]) -> dict[str, Any]:
    return {"text": phrase[0], "confidence": phrase[1]}


def _size(frame: Frame) -> dict[str, Any]:
    return {"width": frame.size[0], "height": frame.size[1]}


def _rectangle(frame: Frame, place: Place) -> dict[str, int]:
    return dict(zip("xywh", frame.box(place), strict=True))


def _corners(frame: Frame, place: Place) -> list[tuple[int, int]]:
    x, y, w, h = frame.box(place)
    return [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
