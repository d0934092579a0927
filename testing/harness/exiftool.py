"""exiftool, to check that photo programs read what the app writes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

FIELDS = ("-Validate", "-Warning", "-Error", "-XMP:all")
PREFIX = {
    "XMP-dc:Description": "caption",
    "XMP-iptcCore:AltTextAccessibility": "alt",
    "XMP-iptcCore:ExtDescrAccessibility": "description",
    "XMP-dc:Subject": "tags",
    "XMP-xmp:MetadataDate": "saved",
}


def exiftool(*arguments: object) -> str:
    """The output of exiftool. Fails if it does, or if it is not installed (on Debian the package
    libimage-exiftool-perl)."""
    command = ["exiftool", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def read(*files: Path) -> list[dict[str, Any]]:
    """The metadata of files, in order; fails if any is not valid. `caption`, `alt` and
    `description` are by language, with "" for the default."""
    found = json.loads(exiftool("-j", "-a", "-G1", *FIELDS, *files))
    assert [each.pop("SourceFile") for each in found] == [str(file) for file in files]
    return [_named(each) for each in found]


def _named(found: dict[str, Any]) -> dict[str, Any]:
    assert found.pop("ExifTool:Validate") == "OK"
    found.pop("XMP-x:XMPToolkit")
    named: dict[str, Any] = {}
    for tag, value in found.items():
        name, _, language = tag.partition("-")[2].partition("-")
        key = PREFIX[f"XMP-{name}"]
        if key in {"tags", "saved"}:
            named[key] = value
        else:
            named.setdefault(key, {})[language] = str(value)
    return named
