"""Settings that take more than one line to check: storage, text files, prices, the webhook."""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass, field
from pathlib import Path

from captioning.addresses import check_address, fits_a_header
from captioning.budget.prices import PriceList
from captioning.config.environment import Environment
from captioning.records.tag_vocabulary import NO_VOCABULARY, Vocabulary, parse
from captioning.text.visible import has_words
from captioning.webhook.payload import key_of

BUDGETS = ("DAILY_BUDGET_USD", "MONTHLY_BUDGET_USD")
MOST_PROMPT_BYTES = 20_000
"""Some 5,000 tokens, which are charged with each picture."""
MOST_VOCABULARY_BYTES = 1_000_000
TABLE = "captions"
"""The default of CAPTIONS_TABLE."""
_LONGEST_TABLE = 39
"""A queue's name has 63 characters at most. The longest is `TABLE-caption-deferred-poison`, where
the host puts messages that it gave up on."""
_THUMBNAILS = "-thumbnails"
_BACKUPS = "-backup"
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
    """How to connect to the account."""
    connection_string = env.connection_string("ImageStorage")
    by_identity = connection_string is None
    if by_identity and not env.text("ImageStorage__blobServiceUri"):
        env.problem(
            "ImageStorage", "is required, or ImageStorage__blobServiceUri and the other addresses"
        )
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


def backup_container(images: str) -> str:
    """The container of the backups of these images' records."""
    return f"{images}{_BACKUPS}"


def captions_table(env: Environment) -> str:
    """The table of the records."""
    what = f"3 to {_LONGEST_TABLE} letters and digits that begin with a letter, and not `tables`"
    return env.matching("CAPTIONS_TABLE", _TABLE.pattern, what)


@dataclass(frozen=True, slots=True)
class QueueNames:
    """The app's queues: images that wait, events of deleted images, notifications."""

    deferred: str = "caption-deferred"
    deleted: str = "image-deleted"
    notify: str = "caption-notify"


def queue_names(table: str) -> QueueNames:
    """The queues beside this table. The table's name comes before their own, unless it is the
    default or no table can have it."""
    name = table.strip().lower()
    if name in {"", TABLE} or not _TABLE.fullmatch(name):
        return QueueNames()
    return QueueNames(*(f"{name}-{queue}" for queue in astuple(QueueNames())))


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def prompt_file(env: Environment) -> Path | None:
    """The file of CAPTION_PROMPT_FILE: instructions for the model. There are no placeholders;
    braces are sent as they are."""
    name = "CAPTION_PROMPT_FILE"
    text = _text(env, name, MOST_PROMPT_BYTES)
    if text is not None and not has_words(text):
        env.problem(name, "has no text: write instructions into it, or leave the setting empty")
    return Path(env.text(name)) if env.text(name) else None


def tag_vocabulary(env: Environment) -> Vocabulary:
    """The vocabulary in the file of TAG_VOCABULARY_FILE."""
    name = "TAG_VOCABULARY_FILE"
    text = _text(env, name, MOST_VOCABULARY_BYTES)
    if text is not None:
        try:
            return parse(text)
        except ValueError as error:
            env.problem(name, str(error))
    return NO_VOCABULARY


def _text(env: Environment, name: str, most: int) -> str | None:
    """The text of the file; None where none is set or it cannot be used."""
    if not env.text(name):
        return None
    path = Path(env.text(name))
    try:
        if not path.is_file():
            env.problem(
                name,
                "does not name a file: give an absolute path, or one relative to the app's folder",
            )
            return None
        if path.stat().st_size > most:
            env.problem(name, f"names a file of more than {most:,} bytes: shorten the file")
            return None
        data = path.read_bytes()
    except (OSError, ValueError):
        env.problem(name, "names a file that cannot be read: check its permissions")
        return None
    return _decoded(env, name, data)


def _decoded(env: Environment, name: str, data: bytes) -> str | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        env.problem(name, f"is not UTF-8 text (line {line}): save it as UTF-8")
        return None
    if found := _CONTROL.search(text):
        line = text.count("\n", 0, found.start()) + 1
        env.problem(
            name, f"has a control character (U+{ord(found[0]):04X}, line {line}): remove it"
        )
        return None
    return text


def check_prices(
    env: Environment, file: Path | None, *, model: str | None, features: tuple[str, ...]
) -> None:
    """Notes a price list that is not valid, and a budget without prices for the model or for one of
    the billed features: calls without a price would not count against the budget."""
    if "PRICES_FILE" in env.problems:
        return
    try:
        prices = PriceList.load(file)
    except ValueError as error:
        env.problem("PRICES_FILE", str(error))
        return
    for budget in filter(env.text, BUDGETS):
        if model is not None and not prices.has_model(model):
            env.problem(
                budget,
                "needs a price for every call, and there is none for CAPTION_MODEL: set a "
                "PRICES_FILE that names it in `models` or has a `default`",
            )
        if not prices.has_features(features):
            env.problem(
                budget,
                "needs a price for every call, and there is none for one of VISION_FEATURES: "
                "add it to `per_1000` in PRICES_FILE",
            )


@dataclass(frozen=True, slots=True)
class Webhook:
    """The receiver. Both may be secret, as an address often contains a token."""

    url: str = field(repr=False)
    keys: tuple[bytes, ...] = field(repr=False)


def webhook(env: Environment) -> Webhook | None:
    """The webhook, or None where NOTIFY_URL is not set."""
    url, secrets = env.text("NOTIFY_URL"), env.text("NOTIFY_KEY").replace(",", " ").split()
    if not url:
        return None
    try:
        check_address(url.partition("?")[0], "NOTIFY_URL")
        if not fits_a_header(url) or "#" in url or "\\" in url:
            raise ValueError("NOTIFY_URL has characters that an address cannot have")
    except ValueError as error:
        env.problem("NOTIFY_URL", str(error).removeprefix("NOTIFY_URL").strip())
    if not secrets:
        env.problem("NOTIFY_KEY", "is required with NOTIFY_URL: receivers verify the app by it")
    keys = []
    for secret in secrets:
        try:
            keys.append(key_of(secret))
        except ValueError as error:
            env.problem("NOTIFY_KEY", str(error))
    return Webhook(url, tuple(keys))
