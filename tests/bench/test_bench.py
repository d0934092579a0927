"""The bench's own arithmetic: what it prints is what was measured."""

from __future__ import annotations

import asyncio
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench.__main__ import PARTS
from bench.harness import plot
from bench.harness.cpu_meter import POOLED, POOLED_CALLS, STEPS, Meter
from bench.harness.figures import ideal, markdown, percentile
from bench.harness.ingest import Ingest, Plan
from bench.harness.photos import SIZES, photo
from bench.harness.services import Behaviour, Quota, Services, serve
from bench.speed import cpu, failures
from captioning.images.picture import read_header
from testing.azurite import free_ports
from testing.markdown import INTERNALS, section
from testing.paths import ROOT

ANALYZE = "/computervision/imageanalysis:analyze"
CHAT = "/openai/v1/chat/completions"


def test_the_ideal_is_what_the_services_alone_allow() -> None:
    assert ideal(16, 1.2) == pytest.approx(13.333, abs=0.001)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        (range(1, 101), 0.5, 50),
        (range(1, 101), 0.99, 99),
        ([3, 1, 2], 0.5, 2),
        ([7], 0.99, 7),
        ([1, 2], 1.0, 2),
    ],
)
def test_percentiles_are_nearest_ranks(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == expected


def test_the_limit_of_a_bad_day() -> None:
    assert failures.limit(32, {"quota": 10.0}) == 10.0
    assert failures.limit(8, {"quota": 10.0}) == pytest.approx(8 / 1.2)
    assert failures.limit(16, {"refused": 0.5}) == pytest.approx(16 / (1.2 + 2))


def test_a_table_is_markdown() -> None:
    assert markdown(["a", "b"], [["x", 1]]) == "| a | b |\n|---|---:|\n| x | 1 |"


def test_the_services_take_as_long_as_they_claim() -> None:
    """In the mean, from a few calls on, and never beyond the spread."""
    behaviour = Behaviour(vision=0.3, spread=0.2)
    for count in (10, 100, 1_000):
        drawn = [behaviour.seconds(0.3, number) for number in range(1, count + 1)]
        assert fmean(drawn) == pytest.approx(0.3, rel=0.02)
    assert min(drawn) == pytest.approx(0.24, rel=0.01)
    assert max(drawn) == pytest.approx(0.36, rel=0.01)


def test_the_services_refuse_as_often_as_they_claim() -> None:
    services = Services()
    services.behave({"refused": 0.3, "retry_after": 2})
    answers = [services.answer(ANALYZE, photo(1, 0)[:65_536]) for _ in range(2_000)]
    refused = [headers for _, status, _, headers in answers if status == 429]
    assert len(refused) / 2_000 == pytest.approx(0.3, abs=0.03)
    assert refused[0] == {"Retry-After": "2"}
    assert (services.counts.vision, services.counts.refused) == (2_000 - len(refused), len(refused))


def test_a_quota_lets_through_what_was_saved_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    quota = Quota(rate=8.0, burst=2.0)
    assert [quota.allows() for _ in range(3)] == [True, True, False]
    now += 0.125
    assert [quota.allows() for _ in range(2)] == [True, False]
    assert all(Quota(rate=0.0, burst=0.0).allows() for _ in range(100))


def test_the_services_answer_over_a_connection_that_is_kept() -> None:
    async def asked() -> list[tuple[bytes, Any]]:
        [port] = free_ports(1)
        server = asyncio.create_task(serve(port))
        for _ in range(100):
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                break
            except OSError:
                await asyncio.sleep(0.01)
        bodies = [
            ("/behaviour", b'{"vision": 0, "chat": 0}'),
            (ANALYZE, photo(1, 3)),
            (CHAT, b"{}" * 100_000),
            ("/counts", b""),
        ]
        answers = []
        for path, body in bodies:
            head = f"POST {path}?a=b HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            start = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"Content-Length: (\d+)", start)
            assert length
            answers.append((start, json.loads(await reader.readexactly(int(length[1])))))
        writer.close()
        server.cancel()
        return answers

    with ThreadPoolExecutor(1) as pool:  # the page's tests leave a loop running in this thread
        answers = pool.submit(lambda: asyncio.run(asked())).result()
    _, (head, seen), (_, told), (_, counts) = answers
    assert head.startswith(b"HTTP/1.1 200 ")
    assert seen["metadata"] == dict(zip(("width", "height"), SIZES[1], strict=True))
    assert "caption" in told["choices"][0]["message"]["content"]
    assert (counts["vision"], counts["chat"], counts["refused"]) == (1, 1, 0)


def test_no_two_photographs_are_the_same_bytes() -> None:
    photos = [photo(1, number) for number in range(12)]
    assert len(set(photos)) == 12
    headers = [read_header(data) for data in photos[:4]]
    assert {(header.format, header.width, header.height) for header in headers} == {
        ("JPEG", *SIZES[1])
    }


def test_of_an_image_that_was_watched_in_part_its_share_counts() -> None:
    """From second 10 to 20: one inside, a half before, a quarter after, one all around."""
    runs = [(15.0, 2.0), (11.0, 2.0), (23.0, 4.0), (30.0, 40.0), (9.0, 5.0)]
    watched = Ingest.watched([(at, took, "captioned") for at, took in runs], 10.0, 20.0)
    assert watched["images"] == pytest.approx(1 + 0.5 + 0.25 + 0.25)
    assert watched["took"] == [2.0, 2.0]
    assert (watched["statuses"], watched["all_statuses"]) == ({"captioned": 2}, {"captioned": 5})


def test_an_ingest_ends_with_the_images_and_counts_what_raises() -> None:
    def process(_: object) -> SimpleNamespace:
        raise ValueError

    found = Ingest(Plan(["a", "b"], 2, window=60.0, ramp=0.0, warm=0.0), process).run()
    assert found["all_statuses"] == {"ValueError": 2}


def test_a_step_is_charged_for_its_own_work_only(monkeypatch: pytest.MonkeyPatch) -> None:
    now, meter = 0.0, Meter()
    monkeypatch.setattr(time, "thread_time", lambda: now)

    def burn(seconds: float) -> None:
        nonlocal now
        now += seconds

    inner, pooled = meter.around(burn, "inner"), meter.around(burn, None)

    def both() -> None:
        burn(1.0)
        inner(3.0)
        pooled(0.5)  # part of the step that it is in

    meter.around(both, "outer")()
    pooled(7.0)
    assert meter.counted() == (
        {"outer": 1.5, "inner": 3.0, POOLED: 7.0},
        {"outer": 1, "inner": 1, POOLED: 1},
    )


def test_overhead_accounts_for_all_of_the_time() -> None:
    run = {"images": 10.0, "cpu_seconds": 0.5, "steps": {"a": 0.3, "b": 0.1}, "calls": {"a": 10}}
    printed = cpu.table({1: run})
    assert "| a, 1.0 | 30.00 |" in printed
    assert "| **all of it** | 50.00 |" in printed
    assert "| all else: threads, this bench | 10.00 |" in printed


@pytest.mark.parametrize(
    "picture",
    [
        plot.lines("A & <B>", "x", (1, 8), {"ideal": [0.8, 6.0], "1 MP": [0.7, 5]}, dashed="ideal"),
        plot.bars("CPU", {"decode": [3.0, 30.0], "none": [0.0, -0.1]}, ["1", "12"]),
    ],
)
def test_pictures_are_svg(picture: str) -> None:
    root = ET.fromstring(picture)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for element in root.iter():
        for name, most in (("x", width), ("cx", width), ("y", height), ("cy", height)):
            assert 0 <= float(element.get(name, 0)) <= most
        assert float(element.get("width", 0)) >= 0


@pytest.mark.parametrize(
    ("value", "expected"), [(0, 1), (0.7, 0.8), (1, 1), (53.3, 80), (81, 100), (101, 200)]
)
def test_axes_end_at_round_numbers(value: float, expected: float) -> None:
    assert plot.nice_above(value) == pytest.approx(expected)


def test_every_step_names_something_of_the_app() -> None:
    from pkgutil import resolve_name

    targets = [*POOLED_CALLS, *(target for targets in STEPS.values() for target in targets)]
    assert all(callable(resolve_name(target)) for target in targets)


def test_make_bench_runs_the_parts_that_the_page_describes() -> None:
    page = section(INTERNALS, "Performance")
    makefile = Path(ROOT / "Makefile").read_text("utf-8")
    assert "python -m bench $(PARTS)" in makefile
    for part, (title, _) in PARTS.items():
        assert f"\n#### {title}\n" in page, title
        assert f"`{part}`" in page
