"""The tools for assistants: what the host sends in, and what goes back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import function_app
from captioning.api.mcp_tools import MOST_IMAGES, ImageTools, tool_response
from captioning.domain.record import Tag
from testing.factories.records import FULL, minutes, short
from testing.harness.functions import settings_over, undeployed
from testing.harness.pipeline import PipelineLab
from testing.harness.storage import Storage


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Sets settings of an app that has built nothing yet."""
    with undeployed(monkeypatch) as use:
        yield use


@pytest.fixture
def tools(storage: Storage) -> ImageTools:
    return ImageTools(storage.catalog, ("en",))


def sent(arguments: Any) -> str:
    """The host's message for a call."""
    return json.dumps({"name": "tool", "arguments": arguments, "sessionid": None})


def found(tools: ImageTools, **arguments: Any) -> tuple[list[str], bool]:
    document = json.loads(tool_response(tools.find_images, sent(arguments)))
    return [image["path"] for image in document["images"]], document["is_complete"]


def code(tools: ImageTools, call: str, arguments: Any) -> str:
    document = json.loads(tool_response(getattr(tools, call), sent(arguments)))
    assert set(document) == {"error"}
    assert document["error"]["message"]
    return str(document["error"]["code"])


def test_images_are_found_newest_first(storage: Storage, tools: ImageTools) -> None:
    for number in range(4):
        tags = (Tag("Golden Retriever", 0.9),) if number % 2 else ()
        record = short(f"{number}.png", minutes(number), caption="A dog.", tags=tags)
        storage.catalog.save(record, None)
    everything = [f"{number}.png" for number in (3, 2, 1, 0)]
    assert found(tools) == found(tools, query="dogs") == (everything, True)
    assert found(tools, query="dogs", limit=3) == (everything[:3], False)
    assert found(tools, tags=["golden retriever"], limit=2) == (["3.png", "1.png"], True)
    assert found(tools, query="do") == found(tools, query="dog -dog") == ([], True)


def test_an_image_is_told_in_short(storage: Storage, tools: ImageTools) -> None:
    storage.catalog.save(FULL, None)
    [image] = tools.find_images({})["images"]
    assert image == {
        "path": FULL.path,
        "status": "deferred",
        "caption": FULL.caption,
        "alt_text": FULL.alt_text,
        "tags": ["dog", "Hündin 🐕"],
        "uploaded": "2026-11-22T10:00:00+00:00",
    }


def test_an_image_is_described_by_path_or_id(storage: Storage, tools: ImageTools) -> None:
    storage.catalog.save(FULL, None)
    for path in (FULL.path, f"sha256:{FULL.id}"):
        answer = tool_response(tools.describe_image, sent({"path": path}))
        assert json.loads(answer) == FULL.to_json()
        assert answer.isascii()


@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("find_images", {"query": 3}, "bad_query"),
        ("find_images", {"query": "x" * 501}, "bad_q"),
        ("find_images", {"tags": "dog"}, "bad_tags"),
        ("find_images", {"tags": [" "]}, "bad_tags"),
        ("find_images", {"limit": 0}, "bad_limit"),
        ("find_images", {"limit": MOST_IMAGES + 1}, "bad_limit"),
        ("find_images", {"limit": True}, "bad_limit"),
        ("find_images", {"limit": "5"}, "bad_limit"),
        ("describe_image", {}, "bad_path"),
        ("describe_image", None, "bad_path"),
        ("describe_image", ["a.jpg"], "bad_path"),
        ("describe_image", {"path": "no such.jpg"}, "not_found"),
    ],
)
def test_what_is_wrong_with_a_call_is_told(
    tools: ImageTools, call: str, arguments: Any, expected: str
) -> None:
    assert code(tools, call, arguments) == expected


def test_the_functions_answer(lab: PipelineLab, environ: Callable[..., None]) -> None:
    environ(**settings_over(lab))
    lab.storage.catalog.save(FULL, None)
    answer = json.loads(function_app.find_images(sent({"query": "dog"})))
    assert [image["path"] for image in answer["images"]] == [FULL.path]
    assert json.loads(function_app.describe_image(sent({"path": FULL.path})))["id"] == FULL.id


def test_bad_settings_are_named(environ: Callable[..., None]) -> None:
    environ(ImageStorage="secret nonsense")
    answer = function_app.find_images(sent({}))
    assert json.loads(answer)["error"]["code"] == "settings"
    assert "ImageStorage" in answer
    assert "secret" not in answer
