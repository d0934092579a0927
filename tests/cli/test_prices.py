"""`prices`: the list against the public price API, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from captioning.transport import open_session, send
from testing.harness.command_line import CommandLine
from testing.services.retail_prices import METERS, PATH, RetailPrices
from testing.services.server import Reply, WireServer


@pytest.fixture
def api() -> Iterator[WireServer]:
    with WireServer(RetailPrices()) as server:
        yield server


def test_it_reads_all_pages_and_names_models_without_a_meter(
    command: CommandLine, api: WireServer
) -> None:
    result = command("prices", "--api", api.url)
    assert result.exit_code == 0, result.output
    assert len(api.received) == len(METERS) // 4
    lines = result.stdout.splitlines()
    assert "The list of 2026-11-28 has 0 other prices" in lines[-1]
    named = {line.split()[0] for line in lines[:-1]}
    assert "gpt-6-luna" in named
    assert not named & {"gpt-4o-mini", "gpt-5-mini", "gpt-5.4-nano", "gpt-5.6-luna", "embedded"}


def test_a_price_that_has_changed_is_told_and_the_exit_code_says_so(
    command: CommandLine, api: WireServer, tmp_path: Path
) -> None:
    file = tmp_path / "prices.json"
    models = {"gpt-5.6-luna": {"input": 1.0, "cached": 0.1, "output": 1.2}}
    vision = {"verified": True, "per_1000": {}}
    listed = {"date": "2026-09-01", "currency": "USD", "models": models, "vision": vision}
    file.write_text(json.dumps(listed), "utf-8")
    command.settings["PRICES_FILE"] = str(file)
    result = command("prices", "--api", api.url)
    assert result.exit_code == 1
    assert "gpt-5.6-luna     input: 1 in the list, 0.2 now" in result.stdout
    assert "cached: 0.1 in the list, 0.02 now" in result.stdout
    assert "output" not in result.stdout
    assert "The list of 2026-09-01 has 2 other prices" in result.stdout


def test_a_next_page_on_another_server_is_not_followed(
    command: CommandLine, api: WireServer
) -> None:
    with WireServer(RetailPrices(elsewhere=api.url)) as first:
        assert command("prices", "--api", first.url).exit_code == 0
    assert api.received == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Reply(429), "The price API answers 429. Try again later."),
        (Reply(302, headers={"Location": "http://127.0.0.1:9/"}), "answers 302"),
        (Reply(200, b"<html>"), "is not a list of prices"),
        (Reply(200, {"Items": None}), "is not a list of prices"),
        (Reply(reset=True), "does not answer (connection)"),
    ],
)
def test_an_api_that_gives_no_prices_is_one_line(
    command: CommandLine, api: WireServer, fault: Reply, said: str
) -> None:
    api.faults.append(fault)
    result = command("prices", "--api", api.url)
    assert result.exit_code == 1
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_fake_refuses_what_the_api_refuses(api: WireServer) -> None:
    with open_session() as session:
        url = f"{api.url}{PATH}?$filter=name eq 'x'"
        assert send(session, "GET", url, headers={}, timeouts=(5, 5)).status == 400
