"""The costs in docs/operate.md follow from the price list and from what the app really sends."""

from __future__ import annotations

import json

import pytest

from captioning.captioner.prompt import BUILT_IN, question, schema
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
from testing.markdown import OPERATE, prose
from testing.paths import ROOT

CHARACTERS_PER_TOKEN = 4
"""About, of English."""


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
