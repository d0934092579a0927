"""The documents are true: settings, routes, commands, codes, names and figures are the code's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, get_args

import pytest

from captioning import telemetry
from captioning.api.edits import MAX_ALT_TEXT, MAX_BODY, MAX_CAPTION, MAX_TAG, MAX_TAGS, _Body
from captioning.api.openapi.document import document
from captioning.app.storage import TABLES
from captioning.backup.backup import BackupReport
from captioning.backup.files import MANIFEST
from captioning.backup.restore import Policy
from captioning.budget.ledger import Budget, Tally
from captioning.budget.prices import PriceList
from captioning.captioner import rules
from captioning.captioner.prompt import MAX_TEXT
from captioning.captioner.request import MAX_SAID
from captioning.cli.main import cli
from captioning.config import sections
from captioning.config.definitions import SETTINGS
from captioning.domain.messages import NotificationMessage
from captioning.domain.usage import Bill
from captioning.errors import (
    BlobRefused,
    CaptioningError,
    ImageRejected,
    RecordUnreadable,
    ServiceDeferred,
)
from captioning.export.filenames import LONGEST
from captioning.export.html import ON_A_PAGE, WIDTH
from captioning.maintenance.reconcile import ReconcileReport
from captioning.records import tag_vocabulary
from captioning.records.layout import LAYOUT, VERSION, copy_key, posting_key, record_key, stub_key
from captioning.records.writer import MOST_WRITES
from captioning.search.search import MOST_ENDINGS, MOST_MAKES, MOST_RECORDS, MOST_REQUESTS
from captioning.search.terms import MOST_WORDS
from captioning.storage.sessions import RETRIES
from captioning.text.visible import MOST
from captioning.webhook import sender
from testing.code_figures import figure_of
from testing.factories.hostile_pictures import HOSTILE
from testing.factories.records import FULL, START
from testing.harness.bindings import bindings, functions
from testing.markdown import (
    CAPTIONS,
    INTERNALS,
    OPERATE,
    PAGES,
    README,
    SECURITY,
    SETTINGS_PAGE,
    USE,
    anchor,
    example,
    headings,
    names,
    prose,
    rows,
    section,
)
from testing.paths import ROOT

MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
NEVER_IN_A_RECORD = {
    *("error", "settings", "changed", "row_missing", "gone", "bad_request", "bad_name", "refused"),
    "in_use",
    "too_many_requests",
}
NUMBERS = ("never", "once", "twice")
NAMED = {10: "ten", 11: "eleven", 12: "twelve"}
UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "%": 0.01, "MiB": 1.0, "": 1.0}
FIGURES = [row for page in (INTERNALS, CAPTIONS) for row in rows(page, "what | figure")]
"""What, the figure with its unit, and where it is in the code."""


def codes(kind: type[CaptioningError]) -> set[str]:
    own = {kind.code} - NEVER_IN_A_RECORD
    return own.union(*(codes(sub) for sub in kind.__subclasses__()))


def code(value: str) -> str:
    return f"`{value}`" if value else ""


def test_every_setting_is_documented_as_it_is() -> None:
    documented = [row for row in SETTINGS_PAGE.splitlines() if row.startswith("| `")]
    assert documented == [
        f"| {code(s.name)} | {code(s.default)} | {s.help} | {code(s.example)} |" for s in SETTINGS
    ]


def test_every_route_is_documented_with_its_method_and_level() -> None:
    served = [
        [
            b["methods"][0],
            code("/" + re.sub(r"\{ignored.*|:[a-z]+\(\d+\)", "", b["route"])),
            b["authLevel"].lower(),
        ]
        for b in bindings("httpTrigger").values()
    ]
    assert sorted(row[:3] for row in rows(USE, "method")) == sorted(served)


def test_every_function_with_a_key_is_in_the_table_of_keys() -> None:
    told = [name for row in rows(SECURITY, "may") for name in re.findall(r"`(\w+)`", row[1])]
    triggers = bindings("httpTrigger").items()
    assert sorted(told) == sorted(n for n, b in triggers if b["authLevel"] == "FUNCTION")
    assert f"at all {NAMED[len(told)]} functions" in prose(SECURITY)
    in_loop = re.findall(r"for FUNCTION in (.*?);", SECURITY)
    assert in_loop == [" ".join(told[:4])]


def test_every_other_function_is_documented_with_its_trigger() -> None:
    triggers = {
        **{name: f"blob `{b['path']}`" for name, b in bindings("blobTrigger").items()},
        **{name: f"queue `{b['queueName']}`" for name, b in bindings("queueTrigger").items()},
        **{name: f"timer `{b['schedule']}`" for name, b in bindings("timerTrigger").items()},
        **{name: f"tool `{b['toolName']}`" for name, b in bindings("mcpToolTrigger").items()},
    }
    documented = {row[0].strip("`"): row[1] for row in rows(INTERNALS, "function")}
    assert documented == triggers
    assert len(triggers) + len(bindings("httpTrigger")) == len(functions())


def test_every_table_and_queue_is_documented() -> None:
    assert names(INTERNALS, "table") == {f"captions{kind}" for kind in TABLES}
    readers = {b["queueName"]: name for name, b in bindings("queueTrigger").items()}
    documented = {row[0].strip("`"): row[2].strip("`") for row in rows(INTERNALS, "queue")}
    assert documented == readers


def test_every_row_of_the_catalogue_is_documented() -> None:
    told = [re.findall(r"`([^`]+)`", row[1])[0] for row in rows(INTERNALS, "PartitionKey | RowKey")]
    made = [record_key(""), copy_key(""), posting_key("", "").removesuffix("~"), stub_key("")]
    assert told == [*made, LAYOUT]
    page = prose(section(INTERNALS, "The catalogue"))
    assert f"names version {VERSION}" in page
    assert f"A transaction has {MOST_WRITES} operations" in page
    assert f"repeated {NUMBERS[RETRIES]}, with" in page
    numbers = f"{MOST_REQUESTS} requests for postings, and two more for each posting list, and"
    assert f"{numbers} {MOST_RECORDS} records" in page
    assert f"more than {MOST_ENDINGS} words" in page
    assert f"more than {MOST_MAKES} fingerprints" in page


def test_every_error_code_is_documented_where_it_belongs() -> None:
    documented = {
        row[0].strip("`"): set(re.findall(r"`([a-z_]+)`", row[1])) for row in rows(USE, "status")
    }
    rejected, deferred = codes(ImageRejected), codes(ServiceDeferred)
    unreadable = {RecordUnreadable.code}
    failed = codes(CaptioningError) - rejected - deferred - unreadable | codes(BlobRefused)
    assert documented == {
        "rejected": rejected,
        "deferred": deferred,
        "failed": failed,
        "unreadable": unreadable,
    }
    assert names(OPERATE, "code") == rejected | deferred | failed | unreadable


def codes_in(part: Any) -> Iterator[str]:
    """The codes of problems in a part of the OpenAPI document."""
    if isinstance(part, dict):
        yield from part.get("properties", {}).get("code", {}).get("enum", ())
    parts = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    for inner in parts:
        yield from codes_in(inner)


def test_every_code_of_a_refused_request_is_documented() -> None:
    sources = [*(ROOT / "captioning").rglob("*.py"), ROOT / "function_app.py"]
    made = r'(?:BadRequest\(\s*|[^.]problem\(\d+, )"(\w+)"'
    raised = {found for file in sources for found in re.findall(made, file.read_text("utf-8"))}
    raised |= set(codes_in(document()))  # those of parameters are made from the names
    assert raised <= set(re.findall(r"`(\w+)`", section(USE, "Errors")))
    assert {"bad_days", "unknown_parameter", "internal"} <= raised


def test_the_examples_have_the_fields_that_answers_have() -> None:
    record, made = example(USE, "One record"), FULL.to_json()
    assert record.keys() == made.keys()
    for part in ("image", "provenance", "usage"):
        assert record[part].keys() == made[part].keys()
    for part in ("claim", "error"):
        assert all(f"`{name}`" in USE for name in made[part])
    usage = example(USE, "Usage")
    assert usage["total"].keys() == {"images", *asdict(Tally())}
    assert usage["days"][0].keys() == {"day", *usage["total"]}
    assert usage["budget"].keys() == asdict(Budget(None, None, 0, 0)).keys()


def test_what_a_correction_may_hold_is_documented() -> None:
    assert names(USE, "field") == set(_Body.model_fields)
    limits = {row[0].strip("`"): re.findall(r"\d[\d,]*", row[1]) for row in rows(USE, "field")}
    assert limits["caption"] == ["1", f"{MAX_CAPTION:,}"]
    assert limits["alt_text"] == [f"{MAX_ALT_TEXT:,}"]
    assert limits["tags"][:3] == [f"{MAX_TAGS}", "1", f"{MAX_TAG}"]
    assert f"at most {MAX_BODY // 1024} KiB" in prose(USE)


def test_the_lengths_and_limits_of_captions_are_as_told() -> None:
    assert {row[0].strip("`"): row[2] for row in rows(CAPTIONS, "text")} == {
        "caption": f"{rules.CAPTION} characters",
        "alt_text": f"{rules.ALT_TEXT} characters",
        "description": f"{rules.DESCRIPTION:,} characters",
    }
    assert f"Of at most {rules.MOST_WORDS} words" in prose(CAPTIONS)
    twentieth = "a twentieth of the shorter side" in prose(CAPTIONS)
    assert (rules.LEAST_HEIGHT, twentieth) == (1 / 20, True)
    assert f"at most {sections.MOST_PROMPT_BYTES:,} bytes" in prose(CAPTIONS)
    editor = (ROOT / "captioning/gallery/web/editor.js").read_text("utf-8")
    assert f"good: {rules.ALT_TEXT} " in editor
    assert f"good: {rules.CAPTION} " in editor


def test_the_vocabulary_in_the_documents_is_one() -> None:
    [found] = re.findall(r"^```\n(# a line a tag.*?)^```", CAPTIONS, re.MULTILINE | re.DOTALL)
    told = tag_vocabulary.parse(found)
    assert (told.names["puppy"], "indoor" in told.stopped, told.only_these) == ("dog", True, True)


def test_every_key_of_the_log_is_documented() -> None:
    of_images, of_deliveries = section(OPERATE, "The log").split("### Webhook deliveries")
    assert names(of_images, "key") == telemetry._fields(FULL, 1.0).keys()
    delivery = sender._fields("dropped", NotificationMessage("a.jpg", START))
    assert {"event"} | names(of_deliveries, "key") == delivery.keys()
    assert names(section(OPERATE, "Reconcile"), "key") == asdict(ReconcileReport()).keys()
    of_backups = names(section(OPERATE, "Backup and restore"), "key")
    assert of_backups == asdict(BackupReport()).keys()
    [of_budget] = re.findall(r'`"event": "budget"` is written (.*?) Alert', prose(OPERATE))
    assert set(re.findall(r"`(\w+)`", of_budget)) == asdict(Budget(None, None, 0, 0)).keys()


def test_the_policies_of_an_import_are_documented() -> None:
    assert names(OPERATE, "`--policy`") == set(get_args(Policy))


def test_every_command_is_documented() -> None:
    found = cli.registered_commands
    commands = {command.name or command.callback.__name__ for command in found if command.callback}
    named = r"python -m captioning (\w+)"
    assert commands == set(re.findall(named, section(USE, "Command line")))
    for name, page in PAGES.items():
        assert set(re.findall(named, page)) <= commands, name


@pytest.mark.parametrize("row", FIGURES, ids=lambda row: row[2].strip("`"))
def test_every_figure_is_the_codes(row: list[str]) -> None:
    number, _, unit = row[1].partition(" ")
    assert float(number) * UNITS[unit] == pytest.approx(figure_of(row[2].strip("`")))


def test_the_pace_of_reconcile_is_as_told() -> None:
    page, blobs, records, deepest = (
        figure_of(f"maintenance.reconcile.Reconciler({name})")
        for name in ("page", "blob_pages", "record_pages", "deepest")
    )
    assert f"{page * blobs:,.0f} blobs and {page * records:,.0f} records a run" in prose(OPERATE)
    assert f"holds {deepest:,.0f} messages" in prose(OPERATE)


def test_the_limits_of_hostile_text_are_as_told() -> None:
    told = prose(SECURITY)
    assert f"{len(HOSTILE)} pictures rendered" in told
    assert f"{MAX_TEXT:,} characters of text are passed on" in told
    assert f"{MAX_SAID:,} characters of it at most" in told
    assert f"to {MOST:,} characters before any rule" in told
    assert f"at most {MOST_WORDS} words of a record" in told


def test_the_sizes_of_exports_are_as_told() -> None:
    told = prose(section(USE, "Export"))
    assert f"further pages of {ON_A_PAGE} pictures" in told
    assert f"thumbnails {WIDTH} pixels wide" in told
    assert f"parts of more than {LONGEST} bytes" in told


def test_threads_and_overshoot_are_as_told() -> None:
    blobs, batch, more = (
        int(figure_of(f"host.json extensions.{name}"))
        for name in ("blobs.maxDegreeOfParallelism", "queues.batchSize", "queues.newBatchThreshold")
    )
    paying = blobs + batch + more
    threads = blobs + len(bindings("queueTrigger")) * (batch + more)
    sample = json.loads((ROOT / "local.settings.sample.json").read_text("utf-8"))["Values"]
    assert f"THREAD_COUNT={sample['PYTHON_THREADPOOL_THREAD_COUNT']}`" in SETTINGS_PAGE
    assert threads < int(sample["PYTHON_THREADPOOL_THREAD_COUNT"])
    leaves = f"{threads} at most, which leaves threads for HTTP. Only {paying} of them"
    assert leaves in prose(SETTINGS_PAGE)
    bill = Bill(("tags", "objects", "read"), "gpt-4o-mini", input_tokens=3_011, output_tokens=58)
    usd = PriceList.load().usage(bill).usd or 0.0
    in_flight = f"{blobs} events and {batch + more} messages in every worker"
    assert in_flight in prose(OPERATE)
    assert f"{usd * paying:.2f} USD a worker" in prose(OPERATE)


def test_every_make_variable_in_the_readme_is_one() -> None:
    for name in re.findall(r"\b([A-Z_]+)=", " ".join(re.findall(r"`make [^`]+`", README))):
        assert f"$({name})" in MAKEFILE, name
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_every_file_that_is_named_is_there(page: str) -> None:
    linked = [link for link in re.findall(r"\]\(([^)#]+)", page) if "://" not in link]
    named = re.findall(r"`((?:\w+/)*[\w.]+\.(?:py|json|jsonl|md))`", page)
    elsewhere = {"local.settings.json", "build/sbom.cdx.json", MANIFEST}
    places = [ROOT, ROOT / "captioning", ROOT / "captioning/embedded", ROOT / "docs"]
    for path in [*linked, *(set(named) - elsewhere)]:
        assert any((place / path).exists() for place in places), path


@pytest.mark.parametrize("name", PAGES)
def test_every_section_that_is_linked_is_there(name: str) -> None:
    for path, linked in re.findall(r"\]\(([\w./-]*)#([\w-]+)\)", PAGES[name]):
        page = PAGES[path.rpartition("/")[2] or name]
        assert linked in {anchor(heading) for heading in headings(page)}, f"{path}#{linked}"


@pytest.mark.parametrize("name", PAGES)
def test_headings_differ(name: str) -> None:
    """A link to a section, and `section`, mean one."""
    found = [anchor(heading) for heading in headings(PAGES[name])]
    assert sorted(found) == sorted(set(found))


def test_the_changelog_has_one_line_a_change() -> None:
    lines = (ROOT / "CHANGELOG.md").read_text("utf-8").splitlines()
    assert all(re.match(r"#|- .*[.:)`]$|- .*\.$|$", line) for line in lines)
