"""The request to the webhook's receiver, by the Standard Webhooks specification 1.0.0.

webhook-id: msg_3f0c…                     the same whenever the same record is sent
webhook-timestamp: 1795341600             of this attempt
webhook-signature: v1,K5oZ… v1,g0hM…      one for each key
{"type": "image.captioned", "timestamp": "2026-11-22T10:00:00Z", "data": {…}}
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from captioning.domain.record import CaptionRecord, record_id

PREFIX = "whsec_"
SHORTEST_KEY, LONGEST_KEY = 24, 64
"""Bytes of a key, as the specification has it."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt's body and headers."""

    identity: str
    body: bytes
    headers: dict[str, str]

    @classmethod
    def of(cls, record: CaptionRecord, keys: Sequence[bytes], now: datetime) -> Delivery:
        """The delivery of a record; another version of the record has another identity."""
        document = record.to_json()
        version = f"{record.id} {record.image.etag} {document['updated']}"
        return cls._signed(
            f"image.{record.status}", document["updated"], document, version, keys, now
        )

    @classmethod
    def of_deletion(
        cls, path: str, deleted: datetime, keys: Sequence[bytes], now: datetime
    ) -> Delivery:
        """The delivery that says that the record of a path was removed; without any text of it."""
        timestamp = deleted.astimezone(UTC).isoformat().replace("+00:00", "Z")
        document = {"path": path, "id": record_id(path)}
        version = f"{document['id']} deleted {timestamp}"
        return cls._signed("image.deleted", timestamp, document, version, keys, now)

    @classmethod
    def _signed(
        cls,
        kind: str,
        when: str,
        document: dict[str, Any],
        version: str,
        keys: Sequence[bytes],
        now: datetime,
    ) -> Delivery:
        identity = f"msg_{hashlib.sha256(version.encode()).hexdigest()[:32]}"
        event = {"type": kind, "timestamp": when, "data": document}
        body = json.dumps(event).encode()
        timestamp = str(int(now.timestamp()))
        headers = {
            "content-type": "application/json",
            "webhook-id": identity,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(signed(key, identity, timestamp, body) for key in keys),
        }
        return cls(identity, body, headers)


def signed(key: bytes, identity: str, timestamp: str, body: bytes) -> str:
    """The signature by HMAC-SHA256, with its version in front."""
    content = f"{identity}.{timestamp}.".encode() + body
    return f"v1,{b64encode(hmac.digest(key, content, 'sha256')).decode()}"


def key_of(secret: str) -> bytes:
    """The key in a secret `whsec_…`; ValueError if it is none, without quoting it."""
    try:
        if not secret.startswith(PREFIX):
            raise ValueError
        key = b64decode(secret.removeprefix(PREFIX), validate=True)
        if not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
            raise ValueError
    except ValueError:
        raise ValueError(
            f"must be {PREFIX} and {SHORTEST_KEY} to {LONGEST_KEY} bytes in base64; make one with"
            f' `echo "{PREFIX}$(openssl rand -base64 32)"`'
        ) from None
    return key
