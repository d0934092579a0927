"""The baseline: what the usual sample does, one image after the other.

    python -m bench.harness.baseline SECONDS MEGAPIXELS

For each image it creates a client, decodes and encodes the whole image, and opens a connection for
each call; Vision's tags become a prompt of text. The caption is not printed or stored, so that what
the sample would spend on that does not count against it.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from typing import Any

import requests
from azure.storage.blob import BlobClient, ContainerClient
from PIL import Image

CONFIDENT = 0.6
FEATURES = {"api-version": "2024-02-01", "features": "tags,objects,read"}


def caption(path: str) -> str:
    """The caption of one image."""
    storage, container = os.environ["IMAGESTORAGE"], os.environ["IMAGES_CONTAINER"]
    with BlobClient.from_connection_string(storage, container, path) as blob:
        data = blob.download_blob().readall()
    with Image.open(io.BytesIO(data)) as image:
        encoded = io.BytesIO()
        image.convert("RGB").save(encoded, "JPEG")
    tags = ", ".join(seen(encoded.getvalue()))
    question = f"Write a caption for a picture with these tags: {tags}"
    return answered([{"role": "user", "content": question}])


def seen(data: bytes) -> list[str]:
    """The names of Vision's confident tags."""
    answer = requests.post(
        f"{os.environ['VISION_ENDPOINT']}/computervision/imageanalysis:analyze",
        data,
        params=FEATURES,
        headers={
            "Ocp-Apim-Subscription-Key": os.environ["VISION_KEY"],
            "Content-Type": "application/octet-stream",
        },
        timeout=30,
    )
    tags = answer.json()["tagsResult"]["values"]
    return [tag["name"] for tag in tags if tag["confidence"] >= CONFIDENT]


def answered(messages: list[dict[str, str]]) -> str:
    """The text of the model's answer."""
    answer = requests.post(
        f"{os.environ['AZURE_OPENAI_ENDPOINT']}/openai/v1/chat/completions",
        json={"model": "gpt-4o-mini", "messages": messages},
        headers={"api-key": os.environ["AZURE_OPENAI_API_KEY"]},
        timeout=60,
    )
    return str(answer.json()["choices"][0]["message"]["content"])


def main(seconds: float, megapixels: str) -> None:
    """Prints images, seconds and CPU seconds as JSON. The first image is not counted."""
    with ContainerClient.from_connection_string(
        os.environ["IMAGESTORAGE"], os.environ["IMAGES_CONTAINER"]
    ) as container:
        paths = iter(list(container.list_blob_names(name_starts_with=f"{megapixels}/")))
    caption(next(paths))
    began, cpu, took = time.monotonic(), time.process_time(), []
    while time.monotonic() - began < seconds:
        at = time.monotonic()
        caption(next(paths))
        took.append(time.monotonic() - at)
    found: dict[str, Any] = {
        "images": len(took),
        "took": sorted(took),
        "seconds": time.monotonic() - began,
        "cpu_seconds": time.process_time() - cpu,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2])
