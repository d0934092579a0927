#!/usr/bin/env bash
# Pillow 13.0.0 (wheel for Linux, libavif 1.4.2): an AVIF of 10 bits comes out at 8 bits a sample with
# too little red and blue, on average 0.6 and 0.7 of 255 levels, and 0.3 too much green. One of 8 bits
# comes out right. Cutting the low two bits of Y, Cb and Cr off, instead of rounding, would do that.
#
# That is hardly seen in SDR. PQ is so steep that the colours of a real HDR photo are off by a mean
# CIEDE2000 of 1 to 3, and Pillow has no mode for more bits of RGB.
#
# Needs python3 on Linux (glibc); installs the packages into a temporary folder. Exits 1 if the
# behaviour is another one by now.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --only-binary :all: pillow==13.0.0 imagecodecs==2026.3.6 numpy==2.4.6 2>/dev/null

"$folder/venv/bin/python" - <<'PYTHON'
import io
import sys

import imagecodecs
import numpy as np
import PIL
from PIL import Image, features

ramp = np.linspace(100, 900, 256).round().astype(np.uint16)
tinted = np.stack([ramp, ramp * 9 // 10, ramp * 8 // 10], -1)
picture = np.repeat(tinted[None], 64, 0)


def lost(bits):
    """Mean of the exact samples minus Pillow's, in levels of 255: red, green, blue."""
    samples = picture if bits == 10 else (picture >> 2).astype(np.uint8)
    avif = imagecodecs.avif_encode(samples, bitspersample=bits, level=95, pixelformat="444")
    exact = imagecodecs.avif_decode(avif)[..., :3] / (2**bits - 1) * 255
    eight = np.asarray(Image.open(io.BytesIO(avif)).convert("RGB")).astype(float)
    return (exact - eight).reshape(-1, 3).mean(0)


print(f"Pillow {PIL.__version__}, libavif {features.version_module('avif')}")
ten, eight = lost(10), lost(8)
for bits, (red, green, blue) in ((10, ten), (8, eight)):
    print(f"{bits} bits: red {red:+.2f}, green {green:+.2f}, blue {blue:+.2f} levels are missing")
expected = {
    "10 bits lose red and blue and gain green": (
        ten[0] > 0.4 and ten[2] > 0.4 and ten[1] < -0.1
    ),
    "8 bits lose nothing": abs(eight).max() < 0.1,
}
for what, is_so in expected.items():
    print(f"{'as found' if is_so else 'CHANGED'}: {what}")
sys.exit(not all(expected.values()))
PYTHON
