#!/usr/bin/env bash
# Pillow 13.0.0: a PNG's cICP chunk is read and dropped, so an HDR picture (BT.2020, PQ) cannot be told
# from an sRGB one. It is neither in `info` nor in `private_chunks`, and is gone from a saved copy.
# gAMA, cHRM, sRGB and iCCP, which cICP takes precedence over (PNG, third edition), are in `info`.
#
# The same goes for the nclx box of an AVIF. pillow-heif 1.8.1 tells the nclx of an AVIF by its header,
# although it has no decoder for AV1.
#
# Needs python3 on Linux (glibc); installs the packages into a temporary folder. Exits 1 if the
# behaviour is another one by now.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --only-binary :all: pillow==13.0.0 pillow-heif==1.8.1 2>/dev/null

"$folder/venv/bin/python" - <<'PYTHON'
import io
import struct
import sys
import zlib

import PIL
import pillow_heif
from PIL import Image


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def saved(image, file_format, **options):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


grey = Image.new("RGB", (64, 64), (128, 128, 128))
plain = saved(grey, "PNG")
cicp = chunk(b"cICP", bytes([9, 16, 0, 1]))  # BT.2020, PQ, RGB, full range
png = plain[:33] + cicp + chunk(b"gAMA", struct.pack(">I", 45455)) + plain[33:]
read = Image.open(io.BytesIO(png))
read.load()

avif = saved(grey, "AVIF")
at = avif.index(b"colrnclx") + 8
avif = avif[:at] + struct.pack(">2H", 9, 16) + avif[at + 4 :]
avif_info = Image.open(io.BytesIO(avif)).info
nclx = pillow_heif.open_heif(avif).info["nclx_profile"]

print(f"Pillow {PIL.__version__}, pillow-heif {pillow_heif.__version__}")
print(f"PNG with cICP and gAMA: info {read.info}, private chunks {read.private_chunks}")
print(f"pixel {read.getpixel((0, 0))}")
print(f"AVIF by Pillow: info {avif_info}")
print(f"AVIF by pillow-heif: {nclx['color_primaries']}/{nclx['transfer_characteristics']}")
expected = {
    "gAMA is told": read.info.get("gamma") == 0.45455,
    "cICP is not": not any("cicp" in str(key).lower() for key in read.info)
    and not read.private_chunks,
    "a saved copy has no cICP": b"cICP" not in saved(read, "PNG"),
    "Pillow does not tell the nclx of an AVIF": not avif_info.keys() & {"nclx", "nclx_profile"},
    "pillow-heif does": (nclx["color_primaries"], nclx["transfer_characteristics"]) == (9, 16),
}
for what, is_so in expected.items():
    print(f"{'as found' if is_so else 'CHANGED'}: {what}")
sys.exit(not all(expected.values()))
PYTHON
