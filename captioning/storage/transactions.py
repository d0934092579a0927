"""Transactions as multipart messages: what is sent, and what each part of an answer says.

https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from captioning.ports import Entity, Write
from captioning.storage.entities import encoded

METHODS = {
    "insert": "POST",
    "replace": "PUT",
    "merge": "MERGE",
    "upsert": "PUT",
    "delete": "DELETE",
}
_STATUS_LINE = re.compile(rb"^HTTP/1\.1 ", re.MULTILINE)
_HEADER = re.compile(rb"^([A-Za-z-]+): *(.+?)\r?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Part:
    """The answer to one operation; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why none of the operations was made: the number of the one at fault, status and code."""

    number: int
    status: int
    code: str


def message(writes: Sequence[Write], name: str, url: Callable[[Entity | None], str]) -> bytes:
    """The body of a request. `url` gives the address of an entity, or of the table without one.

    `name` is random, so that no text in an entity can end a part. Azurite 3.37 answers 500 where
    the outer boundary does not begin with `batch_`: `findings/azurite-batch-boundary.sh`.
    """
    batch, changes = f"--batch_{name}", f"--changeset_{name}"
    begin = f"{batch}\r\nContent-Type: multipart/mixed; boundary={changes[2:]}\r\n\r\n"
    parts = [begin.encode()]
    for write in writes:
        target = url(None if write.kind == "insert" else write.entity)
        match = write.etag or ("*" if write.kind == "delete" else "")
        parts.append(
            f"{changes}\r\nContent-Type: application/http\r\n"
            "Content-Transfer-Encoding: binary\r\n\r\n"
            f"{METHODS[write.kind]} {target} HTTP/1.1\r\n"
            "Content-Type: application/json\r\nPrefer: return-no-content\r\n"
            "Accept: application/json;odata=minimalmetadata\r\n"
            "DataServiceVersion: 3.0\r\n".encode()
            + (f"If-Match: {match}\r\n".encode() if match else b"")
            + b"\r\n"
            + (b"" if write.kind == "delete" else encoded(write.entity))
            + b"\r\n"
        )
    return b"".join([*parts, f"{changes}--\r\n{batch}--\r\n".encode()])


def parts(body: bytes) -> list[Part]:
    """The parts of an answer, in the order of the operations. ValueError where one has no
    status."""
    return [_part(text) for text in _STATUS_LINE.split(body)[1:]]


def refusal(answer: Sequence[Part]) -> Refusal:
    """What the single part of a refusal says. ValueError, KeyError or TypeError where it is not
    one."""
    (part,) = answer
    error = json.loads(part.body[part.body.index(b"{") : part.body.rindex(b"}") + 1])["odata.error"]
    number = error["message"]["value"].partition(":")[0]
    if not number.isdecimal():
        raise ValueError(number)
    return Refusal(int(number), part.status, str(error["code"]))


def _part(text: bytes) -> Part:
    head, _, body = text.replace(b"\r\n", b"\n").partition(b"\n\n")
    headers = {
        name.decode().lower(): value.decode("latin-1") for name, value in _HEADER.findall(head)
    }
    return Part(int(text[:3]), headers, body)
