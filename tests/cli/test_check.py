"""Checking a deployment: every setting, each service, and no secret."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from captioning.config.definitions import SETTINGS
from testing.harness.command_line import DEAD_STORAGE, CommandLine
from testing.services.chat import KEY as CHAT_KEY
from testing.services.chat import ChatService
from testing.services.server import WireServer
from testing.services.vision_clients import KEY as VISION_KEY
from testing.services.vision_clients import VisionService

STORAGE = ("images", "captions", "queue")


def checked(command: CommandLine) -> tuple[int, dict[str, tuple[str, str]], str]:
    """Exit code; by name: ok or BAD and what is said; all of the output."""
    result = command("check")
    lines = [re.split(r"\s+", line, maxsplit=2) for line in result.stdout.splitlines()]
    found = {name: (mark, rest) for mark, name, rest in lines}
    assert len(found) == len(lines)
    return result.exit_code, found, result.output


def test_check_lists_every_setting_and_reaches_every_service(command: CommandLine) -> None:
    code, found, _ = checked(command)
    assert code == 0
    assert list(found) == [
        *(setting.name for setting in SETTINGS),
        *STORAGE,
        *("vision", "model"),
    ]
    assert {mark for mark, _ in found.values()} == {"ok"}
    for service in (*STORAGE, "vision", "model"):
        assert found[service] == ("ok", "reached")


def test_check_names_every_bad_setting(command: CommandLine) -> None:
    command.settings |= {"VISION_API": "5", "MAX_IMAGE_BYTES": "many", "IMAGES_CONTAINER": "No"}
    code, found, _ = checked(command)
    assert code == 1
    bad = {name for name, (mark, _) in found.items() if mark == "BAD"}
    assert bad == {"VISION_API", "MAX_IMAGE_BYTES", "IMAGES_CONTAINER"}
    assert "4.0, 3.2" in found["VISION_API"][1]
    assert set(found) == {setting.name for setting in SETTINGS}


def test_check_prints_no_secret(command: CommandLine) -> None:
    command.settings |= {
        "VISION_KEY": "s3cret-1",
        "AZURE_OPENAI_API_KEY": "s3cret-2",
        "OPENAI_API_KEY": "s3cret-3",
        "VISION_PROVIDER": "s3cret-4",
        "OPENAI_BASE_URL": "https://user:s3cret-5@127.0.0.1/v1?sig=s3cret-6#s3cret-7",
    }
    code, found, output = checked(command)
    assert code == 1
    assert "s3cret" not in output
    assert "AccountKey" not in output
    assert found["VISION_KEY"] == ("ok", "(set)")
    assert found["OPENAI_BASE_URL"] == ("ok", "https://127.0.0.1/v1")


def test_check_asks_the_other_services_where_storage_is_dead(command: CommandLine) -> None:
    command.settings["ImageStorage"] = DEAD_STORAGE
    code, found, output = checked(command)
    assert code == 1
    for part in STORAGE:
        mark, what = found[part]
        assert mark == "BAD"
        assert "make run" in what
    assert found["vision"] == found["model"] == ("ok", "reached")
    assert "c2VjcmV0" not in output


@pytest.fixture
def chat_service() -> ChatService:
    return ChatService()


@pytest.fixture
def wired(command: CommandLine, chat_service: ChatService) -> Iterator[CommandLine]:
    """The command line, with Vision and model over HTTP."""
    with VisionService() as vision, WireServer(chat_service) as chat:
        command.settings |= {
            "VISION_PROVIDER": "azure",
            "VISION_ENDPOINT": vision.url,
            "VISION_KEY": VISION_KEY,
            "CAPTION_PROVIDER": "azure",
            "AZURE_OPENAI_ENDPOINT": chat.url,
            "AZURE_OPENAI_API_KEY": CHAT_KEY,
        }
        yield command


def test_check_reaches_vision_and_model_over_http(wired: CommandLine) -> None:
    code, found, _ = checked(wired)
    assert (code, found["vision"], found["model"]) == (0, ("ok", "reached"), ("ok", "reached"))


def test_check_says_why_vision_and_model_are_not_usable(wired: CommandLine) -> None:
    wired.settings |= {"VISION_KEY": "wrong-key-1", "AZURE_OPENAI_API_KEY": "wrong-key-2"}
    code, found, output = checked(wired)
    assert code == 1
    for name in ("vision", "model"):
        mark, what = found[name]
        assert mark == "BAD"
        assert what.startswith("not usable  auth: ")
    assert "wrong-key" not in output
    wired.settings |= {"AZURE_OPENAI_API_KEY": CHAT_KEY, "CAPTION_MODEL": "unheard-of"}
    assert "model_gone: " in checked(wired)[1]["model"][1]


@pytest.mark.parametrize(
    ("model", "reasoning", "is_bad"),
    [
        ("gpt-6-luna", "lowest", True),
        ("gpt-6-luna", "default", False),
        ("gpt-4o-mini", "lowest", False),
    ],
)
def test_check_names_a_model_that_reasons_all_the_same(
    wired: CommandLine, chat_service: ChatService, model: str, reasoning: str, is_bad: bool
) -> None:
    chat_service.reasons_all_the_same = True
    wired.settings |= {"CAPTION_MODEL": model, "CAPTION_REASONING": reasoning}
    mark, what = checked(wired)[1]["model"]
    assert mark == ("BAD" if is_bad else "ok")
    assert ("400 tokens" in what) is is_bad


def test_check_names_a_model_that_does_not_see_the_picture(
    wired: CommandLine, chat_service: ChatService
) -> None:
    """Behind a server that drops images, a model describes something all the same."""
    chat_service.is_blind = True
    code, found, _ = checked(wired)
    mark, what = found["model"]
    assert (code, mark) == (1, "BAD")
    assert "did not read the number" in what
    wired.settings["CAPTION_INPUT"] = "tags"
    assert checked(wired)[1]["model"] == ("ok", "reached")
