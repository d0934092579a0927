"""`try`: several prompts and models side by side, paid and never stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from testing.factories import pictures
from testing.harness.command_line import DEAD_STORAGE, CommandLine
from testing.services.chat import KEY as CHAT_KEY
from testing.services.chat import ChatService
from testing.services.chat_replies import completion, throttled
from testing.services.server import WireServer
from testing.services.vision_clients import KEY as VISION_KEY
from testing.services.vision_clients import VisionService

FEATURES = 3


class Wired:
    """The command line with storage that does not answer, and Vision and model over HTTP."""

    def __init__(
        self, command: CommandLine, vision: VisionService, chat: WireServer, service: ChatService
    ) -> None:
        self.run, self.vision, self.chat, self.service = command, vision, chat, service

    def asked(self) -> list[tuple[str, str]]:
        """Model and instructions of each request to the model."""
        bodies = [received.json() for received in self.chat.received]
        return [(body["model"], body["messages"][0]["content"]) for body in bodies]


@pytest.fixture
def wired(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wired]:
    service = ChatService()
    with VisionService() as vision, WireServer(service) as chat:
        settings = {
            "ImageStorage": DEAD_STORAGE,
            "VISION_PROVIDER": "azure",
            "VISION_ENDPOINT": vision.url,
            "VISION_KEY": VISION_KEY,
            "CAPTION_PROVIDER": "azure",
            "AZURE_OPENAI_ENDPOINT": chat.url,
            "AZURE_OPENAI_API_KEY": CHAT_KEY,
        }
        yield Wired(CommandLine(settings, monkeypatch), vision, chat, service)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "a [b].jpg"
    file.write_bytes(pictures.oriented(1))
    return file


def prompt(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, "utf-8")
    return file


def rows(output: str) -> dict[str, list[str]]:
    """The cells of the lines by their names; cells are two spaces apart at least."""
    lines = [
        [cell.strip() for cell in line.split("  ") if cell.strip()] for line in output.split("\n")
    ]
    return {cells[0]: cells[1:] for cells in lines if len(cells) > 1}


def test_every_prompt_is_tried_with_every_model(
    wired: Wired, picture: Path, tmp_path: Path
) -> None:
    birds = prompt(tmp_path, "birds.txt", "Look for birds.")
    result = wired.run("try", picture, "--prompt", birds, "--model", "gpt-6-luna")
    assert (result.exit_code, result.stderr) == (0, "")
    asked = wired.asked()
    assert [model for model, _ in asked] == ["gpt-4o-mini", "gpt-6-luna"] * 2
    assert ["Look for birds." in said for _, said in asked] == [False, False, True, True]
    assert len(wired.vision.received) == 1, "Vision is asked once a picture"
    found = rows(result.stdout)
    assert found["caption en"] == ["A stand-in caption (en) for cat."] * 4
    assert found["alt text en"] == ["Stand-in (en) for cat, “SALE”. (30 of 125 characters)"] * 4
    assert len(found["tokens"]) == len(found["price"]) == len(found["seconds"]) == 4
    prices = [float(cell.split()[0]) for cell in found["price"]]
    assert prices[1] < prices[0] > prices[2], "by tokens and by model"
    total = float(result.stdout.partition("total: ")[2].split()[0])
    assert total == pytest.approx(sum(prices) + 0.1 * 3.5, abs=0.001)
    assert f"Vision, once: {FEATURES} calls, 0.3500 US cents" in result.stdout


def test_what_is_set_is_tried_alone_and_first(wired: Wired, picture: Path, tmp_path: Path) -> None:
    wired.run.settings["CAPTION_PROMPT_FILE"] = str(prompt(tmp_path, "own.txt", "Our own."))
    assert wired.run("try", picture, picture).exit_code == 0
    assert ["Our own." in said for _, said in wired.asked()] == [True, True]
    assert len(wired.vision.received) == 2
    wired.chat.received.clear()
    again = tmp_path / "own.txt"
    assert wired.run("try", picture, "--prompt", again, "--model", "gpt-4o-mini").exit_code == 0
    assert len(wired.chat.received) == 1, "the same twice is one"


def test_languages_are_tried_in_one_request(wired: Wired, picture: Path) -> None:
    found = rows(wired.run("try", picture, "--languages", "de,fr,en").stdout)
    assert [name for name in found if name.startswith("caption")] == [
        "caption de",
        "caption fr",
        "caption en",
    ]
    assert len(wired.chat.received) == 1


def test_a_failed_variant_stands_beside_the_others(wired: Wired, picture: Path) -> None:
    result = wired.run("try", picture, "--model", "unheard-of", "--model", "gpt-5-mini")
    assert result.exit_code == 1
    assert "model_gone" in rows(result.stdout)["error"][0]
    assert rows(result.stdout)["caption en"] == ["A stand-in caption (en) for cat."] * 2


def test_a_throttled_service_is_asked_again(wired: Wired, picture: Path) -> None:
    wired.service.script.append(throttled(retry_after_ms="1"))
    assert wired.run("try", picture).exit_code == 0
    assert len(wired.chat.received) == 2


def test_what_is_no_picture_is_told_and_costs_nothing(wired: Wired, picture: Path) -> None:
    text = prompt(picture.parent, "notes.txt", "Dear diary.")
    result = wired.run("try", text, picture)
    assert result.exit_code == 1
    assert "unsupported_format: " in result.stdout
    assert len(wired.vision.received) == len(wired.chat.received) == 1


def test_a_picture_above_the_limit_is_not_read(wired: Wired, picture: Path) -> None:
    wired.run.settings["MAX_IMAGE_BYTES"] = "10"
    result = wired.run("try", picture)
    assert (result.exit_code, "too_large: " in result.stdout) == (1, True)
    assert wired.vision.received == []


def test_bad_options_are_named_before_anybody_is_asked(
    wired: Wired, picture: Path, tmp_path: Path
) -> None:
    empty = prompt(tmp_path, "empty.txt", "\n")
    result = wired.run("try", picture, "--prompt", empty)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"--prompt {empty} has no text" in result.stderr
    assert "--languages de, must be" in wired.run("try", picture, "--languages", "de,").stderr
    assert wired.run("try", tmp_path / "none.jpg").exit_code == 2
    assert wired.run("try").exit_code == 2
    assert wired.vision.received == wired.chat.received == []


def test_no_budget_keeps_an_unpriced_model_from_being_tried(wired: Wired, picture: Path) -> None:
    wired.run.settings["DAILY_BUDGET_USD"] = "1"
    wired.service.deployments["mine"] = "mine"
    result = wired.run("try", picture, "--model", "mine")
    assert result.exit_code == 0
    assert rows(result.stdout)["price"][1] == "price unknown"
    assert "total: price unknown" in result.stdout


def test_text_of_a_model_does_not_steer_the_terminal(wired: Wired, picture: Path) -> None:
    words = {"caption": "[red]A\u202e cat.[/]", "alt_text": "A sale: SALE.", "description": "x"}
    wired.service.script.append(
        completion(json.dumps({"decorative": False, "texts": {"en": words}}))
    )
    output = wired.run("try", picture).stdout
    assert "[red]A cat.[/]" in output
    assert "\u202e" not in output


def test_the_embedded_captioner_has_nothing_to_vary(wired: Wired, picture: Path) -> None:
    wired.run.settings |= {
        "CAPTION_PROVIDER": "embedded",
        "VISION_PROVIDER": "embedded",
        "VISION_FEATURES": "tags",
    }
    result = wired.run("try", picture, "--model", "gpt-5-mini")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--prompt and --model have no effect" in result.stderr
    assert "embedded" in wired.run("try", picture).stdout


def test_nothing_is_written(wired: Wired, picture: Path) -> None:
    before = sorted(picture.parent.rglob("*"))
    assert "nothing was stored" in wired.run("try", picture).stdout
    assert sorted(picture.parent.rglob("*")) == before
