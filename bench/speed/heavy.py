"""Pictures of 99 megapixels beside ordinary photos, as on an instance of 2 GB.

    python -m bench.speed.heavy [CONTROL_GROUP]

Prints how long photos take alone, and with sixteen of the worst pictures at once, what became of
all, and the memory at its peak: of the app's own process, and of it with its helpers. CONTROL_GROUP
is the folder of a control group, which the app joins: one of 2 GB shows that it lives there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from PIL import Image

from bench.harness.bed import Bed
from bench.harness.figures import percentile
from bench.harness.processes import helpers, memory
from captioning.domain.messages import CaptionMessage
from testing.factories.pictures import encoded
from testing.harness.storage import overwrite
from testing.paths import ROOT

SIDE = 9_949
AT_ONCE, PHOTOS = 16, 160
MEMORY_MIB = 512
"""A quarter of 2 GB: what the app takes by itself on such an instance."""
MIB = 1024 * 1024
WORST: dict[str, Callable[[Image.Image], bytes]] = {
    "JPEG": lambda image: encoded(image, "JPEG"),
    "progressive JPEG": lambda image: encoded(image, "JPEG", progressive=True),
    "progressive CMYK JPEG": lambda image: encoded(image.convert("CMYK"), "JPEG", progressive=True),
    "PNG with transparency": lambda image: encoded(image.convert("RGBA"), "PNG", compress_level=1),
    "PNG with a palette": lambda image: encoded(image.quantize(64), "PNG", compress_level=1),
    "GIF": lambda image: encoded(image.quantize(64), "GIF"),
    "WebP": lambda image: encoded(image, "WEBP", quality=50, method=0),
    "AVIF": lambda image: encoded(image, "AVIF", speed=10),
    "HEIC": lambda image: encoded(image, "HEIF"),
    "JPEG 2000": lambda image: encoded(image, "JPEG2000", irreversible=True, quality_layers=[200]),
}
"""No TIFF, which goes to Vision as it is: the services of the bench know no size of it."""


def main(group: str) -> None:
    """Measures and prints."""
    with Bed() as bed:
        photos = bed.upload(1, 2 * PHOTOS)
        ramp = Image.linear_gradient("L").resize((SIDE, SIDE))
        picture = Image.merge("RGB", (ramp, ramp.rotate(90), ramp.rotate(180)))
        made = {name: make(picture) for name, make in WORST.items()}
        names = islice(cycle(made), AT_ONCE)
        worst = [f"heavy/{name} {1 + n // len(made)}/picture" for n, name in enumerate(names)]
        for path in worst:
            name = path.split("/")[1].rpartition(" ")[0]
            overwrite(bed.images, path, made[name], is_hashed=False)
        bed.behave()
        plan = {"alone": photos[:PHOTOS], "beside": photos[PHOTOS:], "worst": worst}
        done = subprocess.run(
            [sys.executable, "-m", "bench.speed.heavy", "app", group],
            cwd=ROOT,
            env={**bed.environ(), "DECODE_MEMORY_MIB": str(MEMORY_MIB)},
            input=json.dumps(plan),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    for name, value in json.loads(done.stdout).items():
        print(f"{name}: {value}")


class _App:
    """The app in this process, and what it used at most."""

    def __init__(self) -> None:
        import function_app

        self._services = function_app.services()
        self._process = self._services.pipeline.process
        self._peak, self._over = 0, threading.Event()
        self._watch = threading.Thread(target=self._sample)
        self._watch.start()

    def close(self) -> None:
        self._over.set()
        self._watch.join()
        self._services.close()

    def run(self, path: str) -> tuple[str, float, str]:
        """Path, seconds, and status with code."""
        began = time.monotonic()
        try:
            record = self._process(CaptionMessage(path))
            status = str(record and record.status)
            if record and record.error:
                status += f" ({record.error.code}: {record.error.message})"
        except Exception as error:  # noqa: BLE001 - counted, as a host would see it
            status = type(error).__name__
        return path, time.monotonic() - began, status

    def peaks(self) -> dict[str, str]:
        own = memory("self", "VmHWM")
        return {
            "peak of the app's own process": f"{own / MIB:.0f} MiB",
            "peak with its helpers": f"{self._peak / MIB:.0f} MiB",
        }

    def _sample(self) -> None:
        while not self._over.wait(0.02):
            total = sum(memory(pid, "VmRSS") for pid in (os.getpid(), *helpers()))
            self._peak = max(self._peak, total)


def _app(plan: dict[str, list[str]]) -> dict[str, Any]:
    app = _App()
    with ThreadPoolExecutor(AT_ONCE) as photos, ThreadPoolExecutor(AT_ONCE) as heavy:
        list(photos.map(app.run, plan["alone"][:AT_ONCE]))  # connections, first helpers
        alone = list(photos.map(app.run, plan["alone"][AT_ONCE:]))
        many = [heavy.submit(app.run, path) for path in plan["worst"]]
        beside = list(photos.map(app.run, plan["beside"]))
        worst = [each.result() for each in many]
    found = {
        "photos alone": _summary(alone),
        "photos beside": _summary(beside),
        **{path.split("/")[1]: f"{status} in {took:.1f} s" for path, took, status in worst},
        **app.peaks(),
    }
    app.close()
    return found


def _summary(runs: list[tuple[str, float, str]]) -> str:
    took = sorted(seconds for _, seconds, _ in runs)
    shown = ", ".join(f"{percentile(took, share):.2f}" for share in (0.5, 0.99, 1.0))
    return f"{dict(Counter(status for *_, status in runs))}, p50 / p99 / most {shown} s"


if __name__ == "__main__":
    if sys.argv[1:2] == ["app"]:
        if sys.argv[2]:
            Path(sys.argv[2], "cgroup.procs").write_text(str(os.getpid()))
        print(json.dumps(_app(json.load(sys.stdin))))
    else:
        main(sys.argv[1] if len(sys.argv) > 1 else "")
