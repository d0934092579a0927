"""Checks a deployment: validates the settings, and calls each service once with a small picture."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from urllib.parse import urlsplit, urlunsplit

from azure.core.exceptions import AzureError
from PIL import Image, ImageDraw, ImageFont

from captioning.app.clients import ServiceClients
from captioning.app.credentials import identity_of
from captioning.app.storage import StorageAccount
from captioning.config.definitions import SETTINGS
from captioning.config.settings import Settings
from captioning.domain.record import ImageAnalysis, Tag
from captioning.domain.usage import Bill
from captioning.errors import CaptioningError, ServiceUnavailable, SettingsError
from captioning.images.inspected import Picture
from captioning.images.picture import inspect
from captioning.providers import Captioner, Providers
from captioning.resilience.calls import PLAIN, PlainCalls
from captioning.storage.errors import explain

SECRETS = frozenset(
    {"ImageStorage", "VISION_KEY", "AZURE_OPENAI_API_KEY", "OPENAI_API_KEY"}
    | {"NOTIFY_URL", "NOTIFY_KEY"}
)
NO_STORAGE = (
    "ImageStorage does not have it: start storage with `make run`, or fix the address, key or role."
)

BLIND = (
    "The model answers, and does not see the picture: it did not read the number in it. Check that "
    "CAPTION_MODEL takes images, and that the server in front of it passes them on."
)
REASONS = (
    "The model reasons although CAPTION_REASONING is lowest ({} tokens for this picture, billed as "
    "output). Choose another CAPTION_MODEL, or set it to default."
)
CELL = (80, 120)
"""Width and height of a digit of the number that the model is shown, in pixels."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the check; `problem` says what to do, empty where nothing is wrong."""

    name: str
    value: str
    problem: str = ""


def findings(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Every setting and, where all are valid, each service. Calling both providers once may cost a
    fraction of a cent, and verifies keys, roles, features and the deployment."""
    problems: Mapping[str, str] = {}
    services = None
    with ExitStack() as opened:
        try:
            settings = Settings.from_environ(environ)
            services = _services(settings, opened)
        except SettingsError as error:
            problems = error.problems
        yield from _check_settings(environ, problems)
        if services:
            storage, providers = services
            yield from _check_storage(storage)
            yield from _check_providers(providers, settings)


def _services(settings: Settings, opened: ExitStack) -> tuple[StorageAccount, Providers]:
    """The services that the settings name; `opened` closes them."""
    credential = identity_of(settings)
    storage = StorageAccount(settings, credential)
    opened.callback(storage.close)
    clients = ServiceClients(settings, credential)
    opened.callback(clients.close)
    providers = clients.providers
    if settings.storage.connection_string:
        # Storage that does not answer is reported part by part, and the others are still checked.
        with suppress(ServiceUnavailable):
            storage.create()
    return storage, providers


def _check_settings(environ: Mapping[str, str], problems: Mapping[str, str]) -> Iterator[Finding]:
    """Every setting with its value, unless it is a secret, or invalid: it may be a secret in the
    wrong place then."""
    for setting in SETTINGS:
        given = environ.get(setting.name, "").strip()
        secret = setting.name in SECRETS or setting.name in problems
        shown = "(set)" if given and secret else _without_secrets(given)
        default = f"{setting.default} (default)" if setting.default else "(unset)"
        yield Finding(setting.name, shown or default, problems.get(setting.name, ""))
    for name in problems.keys() - {setting.name for setting in SETTINGS}:
        yield Finding(name, "", problems[name])


def _without_secrets(value: str) -> str:
    """An address without user, password, query (which may be a SAS token) and fragment."""
    if "://" not in value:
        return value
    parts = urlsplit(value)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _check_storage(storage: StorageAccount) -> Iterator[Finding]:
    for name, is_there in storage.checks.items():
        yield _reached(name, is_there)


class _BilledCalls(PlainCalls):
    """Counts the tokens of reasoning."""

    def __init__(self) -> None:
        self.reasoned = 0

    def billed(self, bill: Bill) -> None:
        self.reasoned += bill.reasoning_tokens


def _check_providers(providers: Providers, settings: Settings) -> Iterator[Finding]:
    number = f"{secrets.randbelow(9_000) + 1_000}"
    picture = inspect(numbered(number))
    if analyzer := providers.analyzer:
        rendition = picture.for_service(analyzer.limits)
        yield _reached("vision", lambda: analyzer.analyze(rendition, PLAIN))
    yield _check_model(providers.captioner, picture, number, settings)


def _check_model(
    captioner: Captioner, picture: Picture, number: str, settings: Settings
) -> Finding:
    """The model is shown a number that nothing else tells it: a server may drop the picture, and
    the model describe whatever it likes."""
    is_shown = settings.caption_provider != "embedded" and settings.caption_input != "tags"
    evidence = ImageAnalysis("check", picture.width, picture.height, tags=(Tag("number", 0.99),))
    calls, said = _BilledCalls(), list[str]()

    def ask() -> bool:
        made = captioner.caption(picture.for_model(), None if is_shown else evidence, calls)
        said.extend(word for text in made.texts.values() for word in (text.caption, text.alt_text))
        said.extend(text.description for text in made.texts.values())
        return True

    finding = _reached("model", ask)
    if finding.problem:
        return finding
    if is_shown and not any(number in text for text in said):
        return replace(finding, value="blind", problem=BLIND)
    if calls.reasoned and settings.caption_reasoning == "lowest":
        problem = REASONS.format(f"{calls.reasoned:,}")
        return replace(finding, problem=problem)
    return finding


def numbered(number: str) -> bytes:
    """A PNG of a number, a digit in each CELL."""
    width, height = CELL
    picture = Image.new("RGB", (width * len(number), height), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(height * 0.8)
    for place, digit in enumerate(number):
        middle = (place * width + width / 2, height / 2)
        draw.text(middle, digit, "black", font, anchor="mm")
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _reached(name: str, ask: Callable[[], object]) -> Finding:
    try:
        return Finding(name, "reached") if ask() else Finding(name, "not reached", NO_STORAGE)
    except CaptioningError as error:
        return Finding(name, "not usable", f"{error.code}: {error.message}")
    except AzureError as error:
        return Finding(name, "not reached", explain(error))
