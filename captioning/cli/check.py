"""Checks a deployment: validates the settings, and calls each service once with a small picture."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from urllib.parse import urlsplit, urlunsplit

from azure.core.exceptions import AzureError
from PIL import Image

from captioning.app.clients import ServiceClients
from captioning.app.credentials import identity_of
from captioning.app.storage import StorageAccount
from captioning.config.definitions import SETTINGS
from captioning.config.settings import Settings
from captioning.domain.record import ImageAnalysis, Tag
from captioning.domain.usage import Bill
from captioning.errors import CaptioningError, ServiceUnavailable, SettingsError
from captioning.images.picture import Picture, inspect
from captioning.providers import Providers
from captioning.resilience.calls import PLAIN, PlainCalls
from captioning.storage.errors import explain

SECRETS = frozenset(
    {"ImageStorage", "VISION_KEY", "AZURE_OPENAI_API_KEY", "OPENAI_API_KEY"}
    | {"NOTIFY_URL", "NOTIFY_KEY"}
)
NO_STORAGE = (
    "ImageStorage does not have it: start storage with `make run`, or fix the address, key or role."
)


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
            services = _services(Settings.from_environ(environ), opened)
        except SettingsError as error:
            problems = error.problems
        yield from _check_settings(environ, problems)
        if services:
            storage, providers = services
            yield from _check_storage(storage)
            yield from _check_providers(providers, environ.get("CAPTION_REASONING", "").strip())


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


def _reasoning(reasoned: int, reasoning: str) -> str:
    if not reasoned or reasoning not in {"", "lowest"}:
        return ""
    return (
        f"The model reasons although CAPTION_REASONING is lowest ({reasoned:,} tokens for this "
        "picture, billed as output). Choose another CAPTION_MODEL, or set it to default."
    )


def _check_providers(providers: Providers, reasoning: str) -> Iterator[Finding]:
    picture = _small_picture()
    analyzer, captioner = providers.analyzer, providers.captioner
    evidence = ImageAnalysis("check", 64, 64, tags=(Tag("red square", 0.99),))
    if analyzer:
        rendition = picture.for_service(analyzer.limits)
        yield _reached("vision", lambda: analyzer.analyze(rendition, PLAIN))
    calls = _BilledCalls()
    finding = _reached("model", lambda: captioner.caption(picture.for_model(), evidence, calls))
    yield replace(finding, problem=finding.problem or _reasoning(calls.reasoned, reasoning))


def _reached(name: str, ask: Callable[[], object]) -> Finding:
    try:
        return Finding(name, "reached") if ask() else Finding(name, "not reached", NO_STORAGE)
    except CaptioningError as error:
        return Finding(name, "not usable", f"{error.code}: {error.message}")
    except AzureError as error:
        return Finding(name, "not reached", explain(error))


def _small_picture() -> Picture:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(buffer, "PNG")
    return inspect(buffer.getvalue())
