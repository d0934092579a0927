"""The licences of what is deployed: the tables in `docs/licences.md`. `python -m testing.licences`
writes them."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from testing.locks import LOCKS, read
from testing.paths import ROOT

PAGE = ROOT / "docs/licences.md"
PYTHONS = ("3.11", "3.12", "3.13")
NAMES = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "Copyright (c) 2021, Hugo van Kemenade and contributors": "BSD-3-Clause",
}
"""What packages call their licences, where it is no identifier of SPDX."""
LGPL_OR_GPL = "LGPL-3.0-or-later OR GPL-2.0-or-later"
BUNDLED = {
    "pillow": {
        "libXau": "MIT-open-group",
        "libavif": "BSD-2-Clause",
        "libbrotlicommon": "MIT",
        "libbrotlidec": "MIT",
        "libfreetype": "FTL OR GPL-2.0-or-later",
        "libharfbuzz": "MIT-Modern-Variant",
        "libjpeg": "IJG AND BSD-3-Clause AND Zlib",
        "liblcms2": "MIT",
        "liblzma": "0BSD",
        "libopenjp2": "BSD-2-Clause",
        "libpng16": "libpng-2.0",
        "libsharpyuv": "BSD-3-Clause",
        "libtiff": "libtiff",
        "libwebp": "BSD-3-Clause",
        "libwebpdemux": "BSD-3-Clause",
        "libwebpmux": "BSD-3-Clause",
        "libxcb": "MIT",
        "libzstd": "BSD-3-Clause OR GPL-2.0-only",
    },
    "pillow-heif": {
        "libde265": "LGPL-3.0-or-later",
        "libheif": "LGPL-3.0-or-later",
        "libx265": "GPL-2.0-or-later",
    },
    "pycurl": {
        "libbrotlicommon": "MIT",
        "libbrotlidec": "MIT",
        "libcom_err": "MIT",
        "libcrypto": "Apache-2.0",
        "libcurl": "curl",
        "libgssapi_krb5": "MIT",
        "libidn2": LGPL_OR_GPL,
        "libk5crypto": "MIT",
        "libkrb5": "MIT",
        "libkrb5support": "MIT",
        "libnghttp2": "MIT",
        "libnghttp3": "MIT",
        "libngtcp2": "MIT",
        "libngtcp2_crypto_ossl": "MIT",
        "libpsl": "MIT",
        "libsfparse": "MIT",
        "libssh2": "BSD-3-Clause",
        "libssl": "Apache-2.0",
        "libunistring": LGPL_OR_GPL,
    },
}
"""Libraries that the Linux wheels carry as files, with the licences that their makers state."""
_LIBRARY = re.compile(r"\.libs/(lib[\w+]+?)(-[0-9a-f]{8})?\.so[.\d]*$")


def deployed() -> dict[str, list[str]]:
    """The versions of each deployed package on Linux, by normalised name: mostly one."""
    found: dict[str, list[str]] = {}
    for python in PYTHONS:
        for name, version in read(LOCKS[0]).versions(python).items():
            if version not in found.setdefault(name, []):
                found[name].append(version)
    return dict(sorted(found.items()))


def licence(name: str) -> str | None:
    """The licence of an installed package as an expression of SPDX; None where it says none."""
    try:
        about = distribution(name).metadata
    except PackageNotFoundError:
        return None
    for field in ("License-Expression", "License"):
        if field in about:
            stated = str(about[field]).split("\n")[0].strip()
            return NAMES.get(stated, stated)
    return None


def carried(name: str) -> set[str]:
    """The libraries that the installed wheel of a package carries as files of their own."""
    files = (str(file) for file in distribution(name).files or ())
    return {found[1] for file in files if (found := _LIBRARY.search(file))}


def linked(name: str) -> dict[str, int]:
    """How many parts with which licence the wheel's own bill says are compiled into it."""
    licences: Counter[str] = Counter()
    for part in _parts(name):
        own = part["name"].startswith("PIL._") or canonicalize_name(part["name"]).startswith(name)
        if own or part.get("scope") == "optional":  # loaded where it is installed, and not there
            continue
        for stated in part.get("licenses", ()):
            one = stated.get("license", {})
            licences[stated.get("expression") or one.get("id") or one.get("name")] += 1
    return dict(sorted(licences.items()))


def _parts(name: str) -> Iterator[dict[str, Any]]:
    for file in distribution(name).files or ():
        if ".dist-info/sboms/" in str(file):
            yield from json.loads(Path(str(file.locate())).read_text("utf-8")).get("components", ())


def packages_table() -> str:
    """Every deployed package."""
    lines = (
        f"| `{name}` | {', '.join(versions)} | {licence(name)} |"
        for name, versions in deployed().items()
    )
    return "\n".join(["| package | version | licence |", "|---|---|---|", *lines])


def libraries_table() -> str:
    """Every library that a wheel carries as a file."""
    lines = (
        f"| `{name}` | `{library}` | {stated} |"
        for name, libraries in BUNDLED.items()
        for library, stated in libraries.items()
    )
    return "\n".join(["| wheel of | library | licence |", "|---|---|---|", *lines])


def linked_table() -> str:
    """What is compiled into wheels that have a bill of their own."""
    found = ((name, linked(name)) for name in deployed())
    lines = (
        f"| `{name}` | {', '.join(f'{stated} ({count})' for stated, count in parts.items())} |"
        for name, parts in found
        if parts
    )
    return "\n".join(["| compiled into | licences, and of how many parts |", "|---|---|", *lines])


def renewed(page: str) -> str:
    """The page with tables as they are now, each in the place of the one with its heading."""
    for table in (packages_table(), libraries_table(), linked_table()):
        heading = re.escape(table.split("\n", 1)[0])
        [old] = re.findall(rf"^{heading}\n(?:\|.*\n)*", page, flags=re.MULTILINE)
        page = page.replace(old, f"{table}\n")
    return page


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)}: written\n")
