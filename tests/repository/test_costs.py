"""The costs in docs/operate.md follow from the price list and from what the app really sends."""

from __future__ import annotations

import json

import pytest

from captioning.captioner.prompt import BUILT_IN, question, schema
from testing.code_figures import figure_of
from testing.harness.bindings import bindings
from testing.harness.model_costs import (
    ANSWER,
    CANDIDATES,
    EVIDENCE,
    INSTRUCTIONS,
    MODES,
    table,
    tokens,
    vision_usd,
)
from testing.markdown import OPERATE, prose, section
from testing.paths import ROOT

CHARACTERS_PER_TOKEN = 4
"""About, of English."""
CENTS_FOR_10_000_REQUESTS = 0.4
"""Of Queue Storage."""


def test_the_table_is_what_the_prices_come_to() -> None:
    assert table() in OPERATE, f"`python -m testing.harness.model_costs`:\n{table()}"
    assert f"comes to {vision_usd():.2f} in" in prose(OPERATE)
    assert all(f"| `{mode}` " in OPERATE for mode in MODES)


def test_its_assumptions_are_told() -> None:
    assert (
        f"{INSTRUCTIONS} tokens of instructions, {EVIDENCE} of evidence and {ANSWER} of answer in"
        " one language"
    ) in prose(OPERATE)


def test_the_instructions_are_about_as_long_as_that() -> None:
    said = BUILT_IN.system(("en",), structured=True) + json.dumps(schema(("en",)))
    said += question(None, has_image=True)
    assert len(said) / CHARACTERS_PER_TOKEN == pytest.approx(INSTRUCTIONS, rel=0.25)


def test_the_quota_counts_no_more_than_app_bicep_allows_for() -> None:
    counted = max(tokens(model, mode)[0] for model in CANDIDATES for mode in MODES)
    assert f"var tokensPerImage = {round(counted + 50, -2)} +" in (
        ROOT / "infra/app.bicep"
    ).read_text("utf-8")


@pytest.mark.parametrize("size", [8, 2, 1])
def test_what_a_batch_costs_is_as_told(size: int) -> None:
    requests = 2_000 + 1_000 // size
    ours = (
        ", as in `host.json`" if size == figure_of("host.json extensions.queues.batchSize") else ""
    )
    cents = requests / 10_000 * CENTS_FOR_10_000_REQUESTS
    assert f"| {size}{ours} | {requests:,} | {cents:.3f} |" in OPERATE
    assert f"With {CENTS_FOR_10_000_REQUESTS} US cents for 10,000 requests" in prose(OPERATE)


def test_what_looking_every_two_seconds_costs_is_as_told() -> None:
    told, queues = prose(section(OPERATE, "After a crash")), len(bindings("queueTrigger"))
    often, seldom = 86_400 // 2, 86_400 // 60
    assert f"{often:,} requests a day in place of {seldom:,}" in told
    usd = [30 * queues * looks * CENTS_FOR_10_000_REQUESTS / 1e6 for looks in (often, seldom)]
    assert "for one that runs all month {:.2f} USD in place of {:.2f}".format(*usd) in told
    assert f"Each of the {('five',)[queues - 5]} queues" in told
