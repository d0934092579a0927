#!/usr/bin/env bash
# pillow-heif 1.8.1 (wheel for Linux): its metadata says BSD-3-Clause, and it brings the encoder x265,
# which is under GPL-2.0, beside libheif and libde265 (LGPL-3.0). A text file in the wheel says so.
#
# Tools that list licences by the metadata of packages show BSD only. The encoder is loaded with the
# module, although a program that only reads HEIC files never calls it: decoding is libde265's.
#
# Needs python3 on Linux (glibc); installs the packages into a temporary folder. Exits 1 if the
# behaviour is another one by now.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --only-binary :all: pillow-heif==1.8.1 2>/dev/null

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import distribution
from pathlib import Path

found = distribution("pillow-heif")
licence = found.metadata.get("License-Expression") or found.metadata.get("License")
bundled = sorted(Path(str(file)).name for file in found.files if ".libs/" in str(file))
texts = [file for file in found.files if file.name == "LICENSES_bundled.txt"]
text = texts[0].read_text() if texts else ""

import pillow_heif

encoders = pillow_heif.libheif_info()["encoders"]
maps = Path("/proc/self/maps").read_text()

print(f"pillow-heif {found.version}: the metadata says {licence}")
print(f"bundled: {', '.join(bundled)}")
print(f"encoders: {encoders}")
expected = {
    "the metadata names a permissive licence only": licence == "BSD-3-Clause",
    "the wheel has libx265": any(name.startswith("libx265") for name in bundled),
    "a file in the wheel says that the wheel is under GPLv2": "binary wheels: GPLv2" in text,
    "importing the module loads libx265": "libx265" in maps,
}
for what, is_so in expected.items():
    print(f"{'as found' if is_so else 'CHANGED'}: {what}")
sys.exit(not all(expected.values()))
PYTHON
