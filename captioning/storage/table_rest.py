"""Entities over HTTP: the operations of the Table service that the app asks for all the time.

One attempt at each. Where the service does not say clearly what became of it the operation is
Unclear, and the caller asks azure-data-tables, which tries again and names what is wrong.
https://learn.microsoft.com/rest/api/storageservices/table-service-rest-api
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from captioning.errors import RecordChanged
from captioning.storage.authorization import JSON, Authorization
from captioning.storage.curl import Answered, Asked, Curl, Unclear
from captioning.storage.entities import Entity, NotPlain, Row, decoded, encoded

Read = TypeVar("Read")
API_VERSION = "2019-02-02"
_WRITTEN, _GONE = 204, 404
_CHANGED = {(409, "EntityAlreadyExists"), (412, "UpdateConditionNotSatisfied")}


class TableWire:
    """One table of the account at `url`; safe to share between threads."""

    def __init__(self, curl: Curl, url: str, name: str, authorization: Authorization) -> None:
        parts = urlsplit(url)
        self._curl = curl
        self._origin, self._path = f"{parts.scheme}://{parts.netloc}", f"{parts.path}/{name}"
        self._authorization = authorization

    def get(self, partition: str, row: str) -> Row | None:
        """The entity, or None."""
        return _row(self._send("GET", _key(partition, row)))

    def get_all(self, keys: Iterable[tuple[str, str]]) -> list[Row | Unclear | None]:
        """Entities side by side, in the order of their keys, each where it is clear."""
        asked = [self._asked("GET", _key(*key)) for key in keys]
        answers = self._curl.send_all(asked, with_headers=True)
        return [_row_or_unclear(answered) for answered in answers]

    def put(self, entity: Mapping[str, Any], etag: str | None) -> str:
        """Replaces the version with this ETag, or inserts the entity where it is None; its new
        ETag. RecordChanged when another version is there."""
        body = _body(entity)
        if etag is None:
            answered = self._send("POST", "", body, "Prefer: return-no-content")
        else:
            answered = self._send("PUT", _key_of(entity), body, f"If-Match: {etag}")
        refusal = _refusal(answered)
        if refusal in _CHANGED or refusal == (_GONE, "ResourceNotFound"):
            raise RecordChanged("It was changed by somebody else meanwhile.")
        if answered.status != _WRITTEN or "etag" not in answered.headers:
            raise Unclear
        return answered.headers["etag"]

    def upsert(self, entity: Mapping[str, Any]) -> None:
        """Writes the entity, whatever is there."""
        if self._send("PUT", _key_of(entity), _body(entity)).status != _WRITTEN:
            raise Unclear

    def delete(self, partition: str, row: str, etag: str | None) -> None:
        """Deletes the entity; a missing one is no error. With an ETag: RecordChanged when another
        version is there."""
        answered = self._send("DELETE", _key(partition, row), None, f"If-Match: {etag or '*'}")
        if _refusal(answered) in _CHANGED:
            raise RecordChanged("It was changed by somebody else meanwhile.")
        if answered.status not in {_WRITTEN, _GONE}:
            raise Unclear

    def first(
        self, partition: str, start: str, end: str, size: int, select: list[str]
    ) -> list[Entity]:
        """The first `size` entities of a partition with a key from `start` on and before `end`."""
        bounds = f"RowKey ge {_quoted(start)} and RowKey lt {_quoted(end)}"
        options = {
            "$filter": f"PartitionKey eq {_quoted(partition)} and {bounds}",
            "$top": str(size),
            "$select": ",".join(select),
        }
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
        answered = self._send("GET", "()", query=query)
        found = _read(answered, lambda document: [decoded(one) for one in document["value"]])
        if len(found) < size and "x-ms-continuation-nextpartitionkey" in answered.headers:
            raise Unclear  # the service stopped early
        return found

    def upsert_all(self, entities: Iterable[Mapping[str, Any]]) -> list[bool]:
        """Writes entities side by side; which of them are known to be written."""
        asked = [self._asked("PUT", _key_of(entity), _body(entity)) for entity in entities]
        return [_status(answered) == _WRITTEN for answered in self._curl.send_all(asked)]

    def delete_all(self, keys: Iterable[tuple[str, str]]) -> list[bool]:
        """Deletes entities side by side; which of them are known to be gone."""
        asked = [self._asked("DELETE", _key(*key), None, "If-Match: *") for key in keys]
        return [_status(answered) in {_WRITTEN, _GONE} for answered in self._curl.send_all(asked)]

    def _send(
        self, method: str, key: str, body: bytes | None = None, *more: str, query: str = ""
    ) -> Answered:
        answered = self._curl.send(self._asked(method, key, body, *more, query=query))
        if answered is None:
            raise Unclear
        return answered

    def _asked(
        self, method: str, key: str, body: bytes | None = None, *more: str, query: str = ""
    ) -> Asked:
        path = f"{self._path}{key}"
        headers = (
            *self._authorization.headers(method, path),
            f"x-ms-version: {API_VERSION}",
            "DataServiceVersion: 3.0",
            "MaxDataServiceVersion: 3.0;NetFx",
            f"Content-Type: {JSON}",
            f"Accept: {JSON};odata=minimalmetadata",
            *more,
        )
        options = "&".join(filter(None, [query, self._authorization.query]))
        return Asked(method, f"{self._origin}{path}" + f"?{options}" * bool(options), headers, body)


def _key(partition: str, row: str) -> str:
    return (
        f"(PartitionKey={quote(_quoted(partition), safe='')},RowKey={quote(_quoted(row), safe='')})"
    )


def _key_of(entity: Mapping[str, Any]) -> str:
    return _key(entity["PartitionKey"], entity["RowKey"])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _body(entity: Mapping[str, Any]) -> bytes:
    try:
        return encoded(entity)
    except NotPlain as error:
        raise Unclear from error


def _read(answered: Answered, read: Callable[[dict[str, Any]], Read]) -> Read:
    if answered.status != 200:
        raise Unclear
    try:
        return read(json.loads(answered.body))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unclear from error


def _row(answered: Answered) -> Row | None:
    if _refusal(answered) == (_GONE, "ResourceNotFound"):
        return None
    return _read(
        answered,
        lambda document: Row(
            decoded(document),
            answered.headers["etag"],
            datetime.fromisoformat(document["Timestamp"]),
        ),
    )


def _row_or_unclear(answered: Answered | None) -> Row | Unclear | None:
    try:
        return _row(answered) if answered else Unclear()
    except Unclear as error:
        return error


def _refusal(answered: Answered) -> tuple[int, str]:
    """Status and code of a refusal, as far as it is one in the service's words."""
    if answered.status < 400:
        return answered.status, ""
    try:
        return answered.status, json.loads(answered.body)["odata.error"]["code"]
    except (ValueError, TypeError, KeyError):
        return answered.status, ""


def _status(answered: Answered | None) -> int | None:
    return answered.status if answered else None
