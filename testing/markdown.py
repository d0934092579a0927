"""The documentation as tests read it: its pages, sections, tables and examples."""

from __future__ import annotations

import json
import re
from typing import Any

from testing.paths import ROOT

README = (ROOT / "README.md").read_text("utf-8")
DEPLOY, SETTINGS_PAGE, USE, CAPTIONS, OPERATE, INTERNALS, SECURITY = (
    (ROOT / f"docs/{name}.md").read_text("utf-8")
    for name in ("deploy", "settings", "use", "captions", "operate", "internals", "security")
)
PAGES = {
    page.name: page.read_text("utf-8") for page in (ROOT / "README.md", *ROOT.glob("docs/*.md"))
}
_CODE_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def headings(page: str) -> list[str]:
    """The texts of all headings; a comment in a code block is none."""
    return re.findall(r"^#+ (.+)$", _CODE_BLOCK.sub("", page), re.MULTILINE)


def section(page: str, heading: str) -> str:
    """What stands under a heading, up to the next one of its level or above.

    The page has the heading once; subsections belong to it.
    """
    [(level, begin)] = [
        (len(found[1]), found.end())
        for found in re.finditer(rf"^(#+) {re.escape(heading)}\n", page, re.MULTILINE)
    ]
    code = [found.span() for found in _CODE_BLOCK.finditer(page)]
    ends = (
        found.start()
        for found in re.finditer(rf"^#{{1,{level}}} ", page, re.MULTILINE)
        if found.start() >= begin and not any(a <= found.start() < b for a, b in code)
    )
    return page[begin : next(ends, len(page))]


def prose(page: str) -> str:
    """The page with single spaces, so that a sentence is found wherever its lines break."""
    return " ".join(page.split())


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the tables whose first columns have this heading; there is at least one.

    Columns are separated as in the page: `what | figure`.
    """
    start = rf"^\| {re.escape(heading)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)"
    tables = re.findall(start, page, re.MULTILINE)
    assert tables, heading
    return [line.strip("| ").split(" | ") for table in tables for line in table.splitlines()]


def names(page: str, heading: str) -> set[str]:
    """What stands in backticks in that table's first column."""
    return {name for row in rows(page, heading) for name in re.findall(r"`([^`]+)`", row[0])}


def example(page: str, heading: str) -> Any:
    """The first JSON example under a heading."""
    found = re.search(r"^```json\n(.*?)^```", section(page, heading), re.MULTILINE | re.DOTALL)
    assert found, heading
    return json.loads(found[1])


def anchor(heading: str) -> str:
    """What GitHub makes of a heading in a link."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
