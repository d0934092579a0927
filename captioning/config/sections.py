"""Settings of the storage account: how it is reached, and what its tables and queues are called."""

from __future__ import annotations

import re
from dataclasses import dataclass

from captioning.config.environment import Environment

TABLE = "captions"
DEFERRED, DELETED, NOTIFY = "caption-deferred", "image-deleted", "caption-notify"
_LONGEST_TABLE = 39
"""A queue's name has 63 characters at most: `TABLE-caption-deferred-poison`, where the host puts
what it gave up."""
_THUMBNAILS = "-thumbnails"
_LONGEST_CONTAINER = 63 - len(_THUMBNAILS)
_TABLE = re.compile(rf"(?!(?i:tables)$)[A-Za-z][A-Za-z0-9]{{2,{_LONGEST_TABLE - 1}}}")


@dataclass(frozen=True, slots=True)
class StorageConnection:
    """Either a connection string, or service addresses and the identity to use."""

    connection_string: str | None
    blob_uri: str
    queue_uri: str
    table_uri: str
    managed: bool
    client_id: str | None


def storage_connection(env: Environment) -> StorageConnection:
    """How the account is reached."""
    connection_string = env.connection_string("ImageStorage")
    by_identity = connection_string is None
    if by_identity and not env.text("ImageStorage__blobServiceUri"):
        env.problem("ImageStorage", "is required (or ImageStorage__blobServiceUri and the others)")
        by_identity = False
    return StorageConnection(
        connection_string=connection_string,
        blob_uri=env.url("ImageStorage__blobServiceUri", required=by_identity),
        queue_uri=env.url("ImageStorage__queueServiceUri", required=by_identity),
        table_uri=env.url("ImageStorage__tableServiceUri", required=by_identity),
        managed=env.text("ImageStorage__credential") == "managedidentity",
        client_id=env.optional("ImageStorage__clientId"),
    )


def images_container(env: Environment) -> str:
    """The container of the images."""
    pattern = rf"(?=.{{3,{_LONGEST_CONTAINER}}}$)[a-z0-9](-?[a-z0-9])+"
    what = f"a container name of 3 to {_LONGEST_CONTAINER} characters"
    return env.matching("IMAGES_CONTAINER", pattern, what)


def thumbnails_container(images: str) -> str:
    """The container of the thumbnails of these images."""
    return f"{images}{_THUMBNAILS}"


def captions_table(env: Environment) -> str:
    """The table of the records."""
    what = f"3 to {_LONGEST_TABLE} letters and digits that begin with a letter, and not `tables`"
    return env.matching("CAPTIONS_TABLE", _TABLE.pattern, what)


def queue_name(queue: str, table: str) -> str:
    """A queue beside this table, with the table's name before its own where that is not the usual
    one; plain beside a table that cannot be."""
    name = table.strip().lower()
    is_usual = name in {"", TABLE} or not _TABLE.fullmatch(name)
    return queue if is_usual else f"{name}-{queue}"
