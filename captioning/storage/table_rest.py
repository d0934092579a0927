"""Entities over HTTP: the operations of the Table service that every image needs.

azure-data-tables spends a millisecond or two of CPU on a request, and 40 on a transaction of 40
operations: more than everything else together. An answer is believed only where it is clearly the
service's, belongs to the request and names the entity that was asked for. After any other answer
the request is sent again, a few times: every write is conditional, or gives the same result however
often it is made.
https://learn.microsoft.com/rest/api/storageservices/table-service-rest-api
"""

from __future__ import annotations

import json
import random
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote, unquote, urlsplit

from captioning.errors import CaptioningError, RecordChanged, RowMissing, StorageUnavailable
from captioning.ports import Entity, Row, Write
from captioning.storage.authorization import JSON, Authorization
from captioning.storage.curl import Answered, Asked, Curl, Unclear
from captioning.storage.entities import decoded, encoded
from captioning.storage.errors import OURS, REFUSED_KEY, UNREACHABLE, RequestRefused
from captioning.storage.sessions import RETRIES
from captioning.storage.transactions import message, parts, refusal

Read = TypeVar("Read")
API_VERSION = "2019-02-02"
FIRST_PAUSE = 0.5
"""Seconds before the second attempt, jittered; twice as long before each further one."""
MOST_ENTITIES = 1_000
"""Of one page: the service refuses to be asked for more."""
MISSING = frozenset({(404, "ResourceNotFound"), (404, "EntityNotFound")})
CHANGED = MISSING | {(409, "EntityAlreadyExists"), (412, "UpdateConditionNotSatisfied")}
"""Another version of the entity is there, or none."""
_METADATA_TABLE = re.compile(r"#(\w+)")


class TableRest:
    """One table of the account at `url`; safe to share between threads."""

    def __init__(
        self,
        curl: Curl,
        url: str,
        name: str,
        authorization: Authorization,
        *,
        retries: int = RETRIES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urlsplit(url)
        self._curl = curl
        self._origin, self._base = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
        self._name = name
        self._authorization = authorization
        self._retries = retries
        self._sleep = sleep

    def get(self, partition: str, row: str) -> Row | None:
        """The entity; None where there is none."""
        return self._get(partition, row, self._retries)

    def page(
        self, partition: str, start: str, end: str, size: int, select: Sequence[str] = ()
    ) -> list[Entity]:
        """The first `size` entities of a partition with a row key from `start` on and before
        `end`."""
        found: list[Entity] = []
        following: dict[str, str] = {}
        options = {
            "$filter": f"PartitionKey eq {_quoted(partition)}"
            f" and RowKey ge {_quoted(start)} and RowKey lt {_quoted(end)}"
        }
        if select:
            # The keys show whether an entity is one of those that were asked for.
            options["$select"] = ",".join(dict.fromkeys([*select, "PartitionKey", "RowKey"]))

        def read(answered: Answered) -> tuple[list[Entity], dict[str, str]]:
            entities = [decoded(one) for one in self._document(answered)["value"]]
            keys = [str(entity["RowKey"]) for entity in entities]
            # Each behind the one before: neither is a page taken twice, nor one of another query.
            before = [str(found[-1]["RowKey"])] if found else []
            if (
                len(entities) > int(options["$top"])
                or any(entity["PartitionKey"] != partition for entity in entities)
                or (keys and keys[0] != start and not _is_before(start, keys[0]))
                or not all(_is_before(*pair) for pair in pairwise([*before, *keys, end]))
            ):
                raise Unclear
            token = _continuation(answered)
            if token and token == following:
                raise Unclear
            return entities, token

        while len(found) < size:
            options["$top"] = str(min(size - len(found), MOST_ENTITIES))
            pairs = {**options, **following}.items()
            query = "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)
            # The service may end a page early, even empty, and then says where the next begins.
            entities, following = self._exchange("GET", f"{self._path}()", read, query=query)
            found += entities
            if not following:
                break
        if not select:
            return found
        return [{name: one[name] for name in select if name in one} for one in found]

    def put(self, entity: Mapping[str, Any], etag: str | None) -> str:
        """Replaces the version with this ETag, or inserts the entity where it is None; its new
        ETag. RecordChanged where another version is there, which may be this one: an answer was
        lost, and the write was made twice."""

        def read(answered: Answered) -> str:
            if _refusal(answered) in CHANGED:
                raise RecordChanged("Another process changed it meanwhile.")
            self._check_place(_written(answered).headers, entity)
            return answered.headers["etag"]

        body = _body(entity)
        if etag is None:
            more = ("Prefer: return-no-content",)
            return self._exchange("POST", self._path, read, body=body, more=more)
        more = (f"If-Match: {etag}",)
        return self._exchange("PUT", self._path_of(entity), read, body=body, more=more)

    def upsert(self, entity: Mapping[str, Any]) -> None:
        """Writes the entity, whatever is there."""
        self._exchange("PUT", self._path_of(entity), _written, body=_body(entity))

    def delete(self, partition: str, row: str, etag: str | None = None) -> None:
        """Deletes the entity; a missing one is no error. With an ETag: RecordChanged where another
        version is there."""

        def read(answered: Answered) -> None:
            refused = _refusal(answered)
            if refused == (412, "UpdateConditionNotSatisfied"):
                raise RecordChanged("Another process changed it meanwhile.")
            if refused not in MISSING:
                _written(answered)

        more = (f"If-Match: {etag or '*'}",)
        self._exchange("DELETE", f"{self._path}{_keys(partition, row)}", read, more=more)

    def transact(self, writes: Sequence[Write]) -> str:
        """Makes all of the writes or none, in one request. The new ETag of the first, the guard;
        empty for a delete. RecordChanged where its condition does not hold, RowMissing where
        another one deletes a row that is not there.

        Where it is unclear whether the transaction was made, the guard's entity is read: its `save`
        tells, a property that is random for every save. A guard that is to be deleted was deleted
        where it is gone.
        """
        guard, name = writes[0], uuid.uuid4().hex

        def read(answered: Answered) -> str:
            if answered.status != 202:
                raise Unclear
            answers = parts(answered.body)
            if [part.status for part in answers] != [204] * len(writes):
                refused = refusal(answers)
                _raise_for(refused.status, refused.code, writes[refused.number], refused.number)
            self._check_place(answers[0].headers, guard.entity)
            return "" if guard.kind == "delete" else answers[0].headers["etag"]

        def applied() -> str | None:
            row = self._get(guard.entity["PartitionKey"], guard.entity["RowKey"], 0)
            if guard.kind == "delete":
                return None if row else ""
            return row.etag if row and row.entity.get("save") == guard.entity["save"] else None

        return self._exchange(
            "POST",
            f"{self._base}/$batch",
            read,
            body=message(writes, name, self._url_of),
            content_type=f"multipart/mixed; boundary=batch_{name}",
            applied=applied if guard.kind == "delete" or "save" in guard.entity else None,
        )

    def _get(self, partition: str, row: str, retries: int) -> Row | None:
        def read(answered: Answered) -> Row | None:
            if _refusal(answered) in MISSING:
                return None
            document = self._document(answered)
            entity = decoded(document)
            if (entity["PartitionKey"], entity["RowKey"]) != (partition, row):
                raise Unclear
            written = datetime.fromisoformat(document["Timestamp"])
            return Row(entity, answered.headers["etag"], written)

        path = f"{self._path}{_keys(partition, row)}"
        return self._exchange("GET", path, read, retries=retries)

    def _exchange(
        self,
        method: str,
        path: str,
        read: Callable[[Answered], Read],
        *,
        body: bytes | None = None,
        query: str = "",
        content_type: str = JSON,
        more: tuple[str, ...] = (),
        applied: Callable[[], Read | None] | None = None,
        retries: int | None = None,
    ) -> Read:
        """What `read` makes of the answer. The request is sent again where that is Unclear and
        `applied` does not find that it was carried out."""
        trouble = UNREACHABLE
        for attempt in range((self._retries if retries is None else retries) + 1):
            if attempt:
                self._sleep(FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311
                try:
                    if applied and (found := applied()) is not None:
                        return found
                except StorageUnavailable as error:
                    trouble = error.message  # so would the request end: this was its attempt
                    continue
            name = uuid.uuid4().hex
            answered = self._send(method, path, body, query, content_type, (*more, _named(name)))
            if answered is None:
                continue
            try:
                trouble = _trouble(answered)
                _check_source(answered, name)
                return read(answered)
            except (RecordChanged, RowMissing):
                # Perhaps by this very request, sent before: by this loop, or by libcurl on a kept
                # connection that broke.
                is_first = not (attempt or answered.may_be_second)
                if applied and not is_first and (found := applied()) is not None:
                    return found
                raise
            except Unclear as unclear:
                trouble = str(unclear) or trouble
            except (KeyError, IndexError, ValueError, TypeError, AttributeError):
                pass  # not in the service's form
        if applied and (found := applied()) is not None:
            return found
        raise StorageUnavailable(trouble)

    def _send(
        self,
        method: str,
        path: str,
        body: bytes | None,
        query: str,
        content_type: str,
        more: tuple[str, ...],
    ) -> Answered | None:
        try:
            signed = self._authorization.headers(method, path, content_type=content_type)
        except Unclear as error:
            reason = error.__cause__
            raise StorageUnavailable(
                reason.message if isinstance(reason, CaptioningError) else REFUSED_KEY
            ) from error
        headers = (
            *signed,
            f"x-ms-version: {API_VERSION}",
            "DataServiceVersion: 3.0",
            "MaxDataServiceVersion: 3.0;NetFx",
            f"Content-Type: {content_type}",
            f"Accept: {JSON};odata=minimalmetadata",
            *more,
        )
        options = "&".join(filter(None, [query, self._authorization.query]))
        url = f"{self._origin}{path}" + f"?{options}" * bool(options)
        return self._curl.send(Asked(method, url, headers, body))

    @property
    def _path(self) -> str:
        return f"{self._base}/{self._name}"

    def _path_of(self, entity: Mapping[str, Any]) -> str:
        return f"{self._path}{_keys(entity['PartitionKey'], entity['RowKey'])}"

    def _url_of(self, entity: Mapping[str, Any] | None) -> str:
        return f"{self._origin}{self._path_of(entity) if entity else self._path}"

    def _document(self, answered: Answered) -> dict[str, Any]:
        """The JSON of an answer; Unclear where it names another table."""
        if answered.status != 200:
            raise Unclear
        document: dict[str, Any] = json.loads(answered.body)
        named = _METADATA_TABLE.search(document.get("odata.metadata", ""))
        # "Tables" is what Azurite calls the table of every page.
        if named and named[1].lower() not in {self._name.lower(), "tables"}:
            raise Unclear
        return document

    def _check_place(self, headers: Mapping[str, str], entity: Mapping[str, Any]) -> None:
        """Unclear where the answer to an insert names another entity."""
        if place := headers.get("location"):
            # Without quotes, which Azurite does not double within a key.
            expected = f"(PartitionKey={entity['PartitionKey']},RowKey={entity['RowKey']})"
            named = (place.replace("'", ""), unquote(place).replace("'", ""))
            if not any(one.endswith(expected.replace("'", "")) for one in named):
                raise Unclear


def _body(entity: Mapping[str, Any]) -> bytes:
    """Of a request for one entity. In ASCII: Azurite 3.37 spoils a character that comes in two
    pieces (findings/azurite-split-characters.sh). In transactions it does not; those stay in UTF-8,
    as escapes would take a large record and its copy beyond the 4 MiB of a request."""
    return encoded(entity, in_ascii=True)


def _keys(partition: str, row: str) -> str:
    """The keys as they are in an address; a quote within a key is doubled."""
    keys = (quote(key.replace("'", "''"), safe="") for key in (partition, row))
    return "(PartitionKey='{}',RowKey='{}')".format(*keys)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _named(name: str) -> str:
    return f"x-ms-client-request-id: {name}"


def _is_before(first: str, second: str) -> bool:
    """Whether one row key sorts before another: by UTF-16 units, which differs from Python's order
    behind U+D7FF only."""
    return first < second or _units(first) < _units(second)


def _units(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")


def _continuation(answered: Answered) -> dict[str, str]:
    """The options that ask for the next page; none where there is none."""
    names = ("NextPartitionKey", "NextRowKey")
    keys = {name: answered.headers.get(f"x-ms-continuation-{name.lower()}") for name in names}
    return {name: key for name, key in keys.items() if key}


def _check_source(answered: Answered, name: str) -> None:
    """Unclear where the Table service has not given the answer, or to another request.
    StorageUnavailable or RequestRefused where another attempt would get the same answer."""
    if "x-ms-request-id" not in answered.headers or 300 <= answered.status < 400:
        raise Unclear(f"storage answered {answered.status}, and not as the Table service does")
    # The service repeats the name that a request gives itself. Azurite does not always.
    if answered.headers.get("x-ms-client-request-id", name) != name:
        raise Unclear("storage answered another request than the one that was sent")
    _raise_if_final(*_refusal(answered))


def _trouble(answered: Answered) -> str:
    """What an answer of the service that is not the right one says, for an operator."""
    return f"storage answered {answered.status} ({_refusal(answered)[1] or 'nothing it should'})"


def _raise_if_final(status: int, code: str) -> None:
    if status in {401, 403}:
        raise StorageUnavailable(REFUSED_KEY)
    if status in OURS:
        raise RequestRefused(f"storage answered {status} ({code or 'no code'})")
    if code == "TableNotFound":
        raise StorageUnavailable(f"storage answered {status} ({code})")


def _raise_for(status: int, code: str, write: Write, number: int) -> NoReturn:
    """For the operation of a transaction that the service refuses."""
    _raise_if_final(status, code)
    if (status, code) in CHANGED and number == 0:
        raise RecordChanged("Another process changed it meanwhile.")
    if (status, code) in MISSING and write.kind == "delete":
        raise RowMissing(write.entity["RowKey"])
    raise Unclear(f"storage answered {status} ({code})")


def _written(answered: Answered) -> Answered:
    if answered.status != 204:
        raise Unclear
    return answered


def _refusal(answered: Answered) -> tuple[int, str]:
    """Status and code of a refusal, as far as it is one in the service's words."""
    if answered.status < 400:
        return answered.status, ""
    try:
        return answered.status, str(json.loads(answered.body)["odata.error"]["code"])
    except (ValueError, TypeError, KeyError):
        return answered.status, ""
