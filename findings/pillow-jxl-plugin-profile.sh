#!/usr/bin/env bash
# pillow-jxl-plugin 1.3.8 (Pillow 13.0.0): a picture with a colour profile is saved as JPEG XL without
# it, silently, whichever way it is given. The samples stay, so every viewer shows other colours.
#
# The other formats of Pillow that know profiles keep it. Read again, the file has a profile: "sRGB".
#
# Needs python3; installs both into a temporary folder. Exits 1 if the behaviour is another one by now.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
    pillow==13.0.0 pillow-jxl-plugin==1.3.8 2>/dev/null

"$folder/venv/bin/python" - <<'PYTHON'
import io
import struct
import sys

import pillow_jxl  # noqa: F401 - registers the plugin
from PIL import Image, ImageCms


def fixed(*numbers):
    return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))


def display_p3():
    """A profile with the primaries of Display P3 (adapted to D50), and the curve of sRGB."""
    curve = b"para\0\0\0\0\0\3\0\0" + fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    text = "Display P3".encode("utf-16-be")
    tags = {
        b"desc": b"mluc\0\0\0\0" + struct.pack(">2I4s2I", 1, 12, b"enUS", len(text), 28) + text,
        b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1.0, 0.8249),
        b"rXYZ": b"XYZ \0\0\0\0" + fixed(0.5151, 0.2412, -0.0011),
        b"gXYZ": b"XYZ \0\0\0\0" + fixed(0.2919, 0.6922, 0.0419),
        b"bXYZ": b"XYZ \0\0\0\0" + fixed(0.1572, 0.0666, 0.7841),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    at, table, body = 132 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        table += name + struct.pack(">2I", at + len(body), len(data))
        body += data.ljust(-(-len(data) // 4) * 4, b"\0")
    header = struct.pack(">I4s4s12s", at + len(body), b"", b"\4", b"mntrRGB XYZ ").ljust(36, b"\0")
    header = (header + b"acsp").ljust(68, b"\0") + fixed(0.9642, 1.0, 0.8249)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def name_of(profile):
    if not profile:
        return None
    return ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.profile_description


color, profile = (200, 60, 60), display_p3()
found = {}
for name in ("PNG", "WEBP", "AVIF", "JXL"):
    image = Image.new("RGB", (64, 64), color)
    image.info["icc_profile"] = profile
    buffer = io.BytesIO()
    image.save(buffer, name, lossless=True, icc_profile=profile)
    with Image.open(buffer) as again:
        again.load()
        found[name] = name_of(again.info.get("icc_profile"))
        print(f"{name}: {again.getpixel((5, 5))} in {found[name]!r}")
expected = {
    "PNG, WebP and AVIF keep it": {found[name] for name in ("PNG", "WEBP", "AVIF")} == {"Display P3"},
    "JPEG XL is sRGB now": found["JXL"] == "sRGB",
}
for what, is_so in expected.items():
    print(f"{'as found' if is_so else 'CHANGED'}: {what}")
sys.exit(not all(expected.values()))
PYTHON
