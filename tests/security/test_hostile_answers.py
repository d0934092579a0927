"""Answers that obey a hostile picture, and its name, in everything that is written: no format
breaks, and no text becomes a formula, markup, a header or a terminal's command."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from pathlib import Path

import pytest

from captioning.api.images import ImageChanges
from captioning.api.mcp_tools import ImageTools, tool_response
from captioning.api.messages import Request
from captioning.cli import console
from captioning.domain.blobs import name_problem, url_path
from captioning.domain.record import CaptionRecord, DetectedObject, Tag, TextLine
from captioning.export.html import write_gallery
from captioning.export.tabular import WRITERS, unquoted
from captioning.export.xml_text import in_xml
from captioning.export.xmp import write_sidecars
from captioning.images.picture import check_header
from captioning.search.terms import MOST_WORDS, Wording
from captioning.text.words import words
from testing.factories.hostile_pictures import HOSTILE, Hostile, rendered
from testing.factories.pictures import encoded, quadrants
from testing.factories.records import short
from testing.harness.command_line import CommandLine
from testing.harness.exiftool import read
from testing.harness.hostile_flows import Flows, obeyed, scene_of
from testing.harness.html_page import HtmlPage
from testing.harness.pipeline import PipelineLab, on

JPEG = encoded(quadrants(320, 240), "JPEG")
FORMULA = re.compile(r"[\s\"]*[=+\-@＝＋－＠]")
ELEMENTS = frozenset(
    {"html", "head", "meta", "title", "style", "body", "h1", "main", "nav", "a"}
    | {"figure", "img", "figcaption", "p", "details", "summary", "ul", "li"}
)
LONG = 5_000
"""Characters; longer ones go through the flows."""
MOST_TERM = 512
"""Characters of a PartitionKey."""


@pytest.fixture(scope="module")
def records(corpus: Flows) -> list[CaptionRecord]:
    """What the flows made, and records that hold each text raw wherever there is text at all, as
    another service or a person may have written it."""
    made = [flow.record for flow in corpus.captioned]
    by_path = {record.path: record for record in [*made, *map(_raw, HOSTILE)]}
    return list(by_path.values())


def _raw(hostile: Hostile) -> CaptionRecord:
    text, box = hostile.text[:LONG], (0, 0, 1, 1)
    return short(
        text[:1_024],
        caption=text[:2_000],
        alt_text=text[:1_000],
        description=text,
        language="en",
        tags=(Tag(text[:100], 1.0), Tag(text, 1.0)),
        objects=(DetectedObject(text[:100], 1.0, box),),
        text=tuple(TextLine(line, box) for line in text.split("\n")),
    )


def test_csv_reads_back_and_no_cell_is_a_formula(records: list[CaptionRecord]) -> None:
    stream = io.StringIO(newline="")
    WRITERS["csv"](records, stream)
    csv.field_size_limit(10_000_000)
    rows = list(csv.DictReader(io.StringIO(stream.getvalue(), newline="")))
    assert [unquoted(row["path"]) for row in rows] == [record.path for record in records]
    assert [unquoted(row["caption"]) for row in rows] == [record.caption for record in records]
    for separator in ",;\t":
        for row in csv.reader(io.StringIO(stream.getvalue(), newline=""), delimiter=separator):
            assert not any(FORMULA.match(cell) for cell in row)


def test_json_lines_are_one_ascii_line_a_record(records: list[CaptionRecord]) -> None:
    stream = io.StringIO(newline="")
    WRITERS["jsonl"](records, stream)
    lines = stream.getvalue().splitlines()
    assert stream.getvalue().isascii()
    assert [json.loads(line) for line in lines] == [record.to_json() for record in records]


def test_exiftool_reads_every_sidecar(records: list[CaptionRecord], tmp_path: Path) -> None:
    done = list(write_sidecars(records, tmp_path / "x"))
    assert {each.outcome for each in done} == {"written"}
    assert [each.name for each in tmp_path.iterdir()] == ["x"]
    files = sorted((tmp_path / "x").rglob("*.xmp"))
    captions = sorted(found["caption"][""] for found in read(*files))
    assert len(files) == len(records)
    assert captions == sorted(in_xml(record.caption or "").strip() for record in records)


def test_the_gallery_is_the_same_markup_whatever_the_texts(
    records: list[CaptionRecord], tmp_path: Path
) -> None:
    made = write_gallery(records, tmp_path, lambda _: JPEG)
    assert (made.pictures, made.left_out) == (len(records), 0)
    pages = [HtmlPage(), HtmlPage()]
    for page, name in zip(pages, ("index.html", "page-2.html"), strict=True):
        page.feed((tmp_path / name).read_text("utf-8"))
    elements = [element for page in pages for element in page.elements]
    assert {element.name for element in elements} == ELEMENTS
    known = {"lang", "dir", "src", "alt", "width", "height", "loading", "aria-label", "href", "rel"}
    for element in elements:
        if element.name != "meta":
            assert element.attributes.keys() <= known
    sources = [str(element.attributes["src"]) for element in elements if element.name == "img"]
    assert all(re.fullmatch(r"thumbnails/[0-9a-f]{64}\.jpg", source) for source in sources)
    links = {element.attributes["href"] for element in elements if element.name == "a"}
    assert links == {"index.html", "page-2.html"}
    shown = [element.text for element in elements if element.name == "p"]
    assert in_xml(records[-1].caption or "") in shown


def test_no_terminal_gets_a_command(
    records: list[CaptionRecord], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of `show`, of `show --json`, and of the table that `find` prints."""
    some = [record for record in records if len(record.path) < 100]
    console.print_table(some)
    documents = [record.to_json() for record in some]
    lines = [line for record in records for line in console.record_lines(record)]
    shown = {*capsys.readouterr().out, *console.json_text(documents)} - {"\n"} | {*"".join(lines)}
    isolates = {"\u2068", "\u2069"}  # our own, around right-to-left text
    assert not {char for char in shown if unicodedata.category(char) in {"Cc", "Zl", "Zp", "Cs"}}
    assert not shown & (set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069") - isolates)


def test_the_index_has_few_terms_and_all_are_keys(records: list[CaptionRecord]) -> None:
    for record in records:
        terms = Wording(record).terms
        words_of_path = len([*words(record.path)])
        assert len(terms) <= MOST_WORDS + words_of_path + len(record.tags) + 3
        assert len(terms) < 600
        for term in terms:
            assert len(term) <= MOST_TERM
            assert not set(term) & set("/\\#?")
            assert not any(unicodedata.category(char) in {"Cc", "Cs"} for char in term)


class Taking:
    """Takes any image."""

    def describe(self, path: str) -> object:
        raise AssertionError("not asked for a new image")

    def write(self, path: str, *_: object, replaces: str | None) -> str:
        assert replaces is None
        return '"0x8DE"'

    delete = describe


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
def test_no_name_gets_into_a_header(hostile: Hostile) -> None:
    """`Location` is all that has a name in it."""
    path = hostile.text[:1_024]
    assert re.fullmatch(r"[\w.~%/:-]*", url_path(path), re.ASCII)
    if name_problem(path):
        return
    changes = ImageChanges(
        images=Taking(),  # type: ignore[arg-type]  # as much of one as an upload needs
        records=None,  # type: ignore[arg-type]  # not looked at
        check=lambda data: check_header(data, 1),
        erase=lambda *_: False,
        forget_record=lambda _: False,
        max_image_bytes=1_000_000,
    )
    headers = {"content-length": str(len(JPEG)), "if-none-match": "*"}
    answer = changes.put(Request("", path, headers, JPEG))
    assert answer.status == 201
    for value in answer.headers.values():
        assert value.isascii()
        assert value.isprintable()
    assert json.loads(answer.body)["path"] == path.replace("%2f", "/").replace("%2F", "/")


HANDFUL = [
    *("closes-evidence", "long-lines", "more-variation-selectors", "escape-sequences"),
    *("formula-in-next-row", "log-line", "named-turned", "exif-order"),
]


def test_from_the_blob_to_every_file(
    lab: PipelineLab, command: CommandLine, tmp_path: Path
) -> None:
    """A handful through blob, pipeline, tables and commands."""
    chosen = [hostile for hostile in HOSTILE if hostile.name in HANDFUL]
    pictures = {rendered(hostile): hostile for hostile in chosen}
    lab.local_vision.scene = scene_of(pictures)
    pipeline = lab.pipeline(analyzer=lab.analyzer(features=("read",)))
    for data, hostile in pictures.items():
        lab.chat_service.script.clear()
        lab.chat_service.script.extend([obeyed(hostile.text)] * 2)
        lab.storage.upload(hostile.path, data)
        pipeline.process(on(hostile.path))
        record = lab.stored(hostile.path).record
        assert record.status == "captioned"
        shown = command("show", hostile.path).stdout
        assert not any(unicodedata.category(char) == "Cc" for char in shown.replace("\n", ""))
    for form, count in (("xmp", 8), ("html", 10), ("csv", 1), ("jsonl", 1)):
        out = tmp_path / form
        assert command("export", "--format", form, "--output", out).exit_code == 0
        made = [*out.rglob("*")] if out.is_dir() else [out]
        assert len(made) == count
    assert len(read(*(tmp_path / "xmp").iterdir())) == len(chosen)
    found = command("find", "HACKED", "--json").stdout.splitlines()
    assert len(found) == 3
    tools = ImageTools(lab.storage.catalog, ("en",))
    answer = tool_response(tools.find_images, json.dumps({"arguments": {"query": "HACKED"}}))
    assert answer.isascii()
    assert len(json.loads(answer)["images"]) == 3
