"""A decoder for the tests of helpers: the bytes of a "picture" say what it does.

It sleeps, allocates, or ends its process; no file attacks a library.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from captioning.images.helpers.channel import Said


def run(said: Said, data: bytes, _memory: int) -> tuple[Said, bytes]:
    """What `captioning.images.helpers.tasks.run` does, by the command in the data."""
    command, _, value = data.decode().partition(" ")
    if command == "heavy":  # and then another command
        return ({"heavy": True}, b"") if said["light"] else run(said, value.encode(), 0)
    if command == "sleep":
        threading.Event().wait()
    if command == "hold":  # until the test has written into this pipe
        with Path(value).open("rb") as pipe:
            pipe.read()
    if command == "burn":
        while True:
            pass
    if command == "allocate":
        kept = []
        while True:
            kept.append(bytearray(16 * 2**20))
    if command == "signal":
        os.kill(os.getpid(), int(value))
    if command == "exit":
        os._exit(0)
    if command == "environ":
        return {"rejected": "corrupt", "message": " ".join(sorted(os.environ))}, b""
    if command == "fault":
        raise AttributeError(value)
    if command == "say":  # what no helper says
        return {"facts": value, "width": value, "format": [], "rejected": "nonsense"}, b""
    number = int(value) if command == "number" else os.getpid()
    return _answer(said["task"], number)


def _answer(task: str, number: int) -> tuple[Said, bytes]:
    """A picture that is as wide as a number, or as the id of the process."""
    header = {"format": "PNG", "media_type": "image/png", "width": number, "height": 1}
    made = {"width": number, "height": 1, "stored": [number, 1]}
    if task in {"read_header", "check_header"}:
        return header, b""
    if task == "thumbnail":
        return {}, str(number).encode()
    if task == "rendition":
        return made, b"jpeg"
    more = {"frames": 1, "orientation": 1, "is_unambiguous": True, "color": "sRGB", "is_srgb": True}
    return {"facts": header | more, "model": made, "sketch": {"hash": 7, "bytes": 2}}, b"skjpeg"
