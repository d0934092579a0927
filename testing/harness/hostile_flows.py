"""Every hostile picture through Vision and the model on local servers. The model obeys: it answers
whatever the picture demands."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from captioning.captioner.client import OpenAICaptioner
from captioning.domain.blobs import BlobDescription
from captioning.domain.record import CaptionRecord, Claim, Provenance
from captioning.errors import CaptioningError
from captioning.images.picture import inspect
from captioning.pipeline.transitions import claimed, ended, with_picture
from captioning.providers import Answers
from captioning.reuse.cache import Result
from captioning.telemetry import log_image
from captioning.vision.client import VisionClient
from testing.factories.hostile_pictures import HOSTILE, Hostile, rendered
from testing.factories.records import START
from testing.services.chat import KEY, ChatService
from testing.services.server import Received, WireServer
from testing.services.vision import LocalVision
from testing.services.vision_scene import Scene

LANGUAGES = ("en", "de")
VISION_KEY = "local-vision-key"


@dataclass(frozen=True)
class Flow:
    """The requests to the model about a picture, and the resulting record."""

    hostile: Hostile
    requests: list[Received]
    record: CaptionRecord


@dataclass(frozen=True)
class Flows:
    """The flows by picture, and everything that was logged."""

    of: dict[str, Flow]
    logged: list[str]

    @property
    def captioned(self) -> list[Flow]:
        return [flow for flow in self.of.values() if flow.record.status == "captioned"]


def scene_of(pictures: dict[bytes, Hostile]) -> Callable[[bytes], Scene]:
    """Vision's results for these pictures: their text, line by line, and nothing else."""

    def scene(picture: bytes) -> Scene:
        lines = filter(None, pictures[picture].read.split("\n"))
        text = tuple((line, (0.1, 0.1, 0.8, 0.1)) for line in lines)
        return Scene(tags=(), objects=(), brands=(), people=(), text=text)

    return scene


def obeyed(text: str) -> str:
    """An answer in the required form with this text wherever there is one."""
    said = dict.fromkeys(("caption", "alt_text", "description"), text)
    return json.dumps({"decorative": False, "texts": dict.fromkeys(LANGUAGES, said)})


def flows() -> Flows:
    """Runs every hostile picture through all of the app but storage."""
    pictures = {rendered(hostile): hostile for hostile in HOSTILE}
    chat, logged = ChatService(), list[str]()
    with ExitStack() as stack:
        stack.enter_context(_logging_to(logged))
        vision = stack.enter_context(WireServer(LocalVision(scene=scene_of(pictures))))
        model = stack.enter_context(WireServer(chat))
        analyzer = VisionClient(endpoint=vision.url, key=VISION_KEY, features=("read",))
        stack.callback(analyzer.close)
        captioner = OpenAICaptioner(
            base_url=f"{model.url}/openai/v1/",
            api_key=KEY,
            model="gpt-4o-mini",
            languages=LANGUAGES,
        )
        stack.callback(captioner.close)
        found = {}
        for data, hostile in pictures.items():
            chat.script.clear()
            chat.script.extend([obeyed(hostile.text)] * 2)
            before = len(model.received)
            record = _recorded(hostile, data, analyzer, captioner)
            log_image(record, 1.0)
            found[hostile.name] = Flow(hostile, model.received[before:], record)
    return Flows(found, logged)


def _recorded(
    hostile: Hostile, data: bytes, analyzer: VisionClient, captioner: OpenAICaptioner
) -> CaptionRecord:
    """The record of a picture, made as in the pipeline."""
    blob = BlobDescription(hostile.path, len(data), f'"{len(data)}"', START)
    record = claimed(None, blob, Claim("worker", START), START)
    picture = inspect(data)
    rendition = picture.for_service(analyzer.limits)
    try:
        analysis = rendition.to_stored(analyzer.analyze(rendition))
        answers = Answers(analysis, captioner.caption(picture.for_model(), analysis))
        result = Result(answers)
    except CaptioningError as error:
        result = Result(error=error)
    record = replace(record, image=with_picture(record.image, picture))
    return ended(record, result, Provenance(), "run", START, lambda low, _: low)


class _Lines(logging.Handler):
    """Keeps every log line, with its arguments."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(f"{record.getMessage()} {record.args}")


@contextmanager
def _logging_to(lines: list[str]) -> Iterator[None]:
    handler, root = _Lines(lines), logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
