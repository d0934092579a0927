"""Checking a deployment: every setting, and each service asked once with a small picture."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from azure.core.exceptions import AzureError
from PIL import Image

from captioning.app.services import Services, build_services
from captioning.config.definitions import SETTINGS
from captioning.config.settings import Settings
from captioning.domain.record import ImageAnalysis, Tag
from captioning.errors import CaptioningError, ServiceUnavailable, SettingsError
from captioning.images.picture import Picture, inspect
from captioning.resilience.calls import PLAIN
from captioning.storage.errors import explain

SECRETS = frozenset(
    {"ImageStorage", "VISION_KEY", "AZURE_OPENAI_API_KEY", "OPENAI_API_KEY"}
    | {"NOTIFY_URL", "NOTIFY_KEY"}
)

NO_STORAGE = (
    "ImageStorage does not give it: start it with `make run`, or mend address, key or role."
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the check; `problem` says what to do where something is wrong."""

    name: str
    value: str
    problem: str = ""


def findings(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Every setting and, where all are good, each service: asking both providers once may cost a
    fraction of a cent, and proves keys, roles, features and the deployment."""
    problems: Mapping[str, str] = {}
    services = None
    try:
        services = _services(Settings.from_environ(environ))
    except SettingsError as error:
        problems = error.problems
    yield from _check_settings(environ, problems)
    if services:
        try:
            yield from _check_services(services)
        finally:
            services.close()


def _services(settings: Settings) -> Services:
    try:
        return build_services(settings)
    except ServiceUnavailable:  # storage does not answer: the others can be asked all the same
        return build_services(settings, create_storage=False)


def _check_settings(environ: Mapping[str, str], problems: Mapping[str, str]) -> Iterator[Finding]:
    """Every setting with its value, unless that is a secret or may be one in the wrong place."""
    for setting in SETTINGS:
        given = environ.get(setting.name, "").strip()
        secret = setting.name in SECRETS or setting.name in problems
        shown = "(set)" if given and secret else _without_secrets(given)
        default = f"{setting.default} (default)" if setting.default else "(unset)"
        yield Finding(setting.name, shown or default, problems.get(setting.name, ""))
    for name in problems.keys() - {setting.name for setting in SETTINGS}:
        yield Finding(name, "", problems[name])


def _without_secrets(value: str) -> str:
    """An address without user, password, query (SAS tokens are one) and fragment."""
    if "://" not in value:
        return value
    parts = urlsplit(value)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _check_services(services: Services) -> Iterator[Finding]:
    picture = _small_picture()
    analyzer, captioner = services.providers.analyzer, services.providers.captioner
    evidence = ImageAnalysis("check", 64, 64, tags=(Tag("red square", 0.99),))
    for name, is_there in services.is_there.items():
        yield _reached(name, is_there)
    if analyzer:
        rendition = picture.for_service(analyzer.limits)
        yield _reached("vision", lambda: analyzer.analyze(rendition, PLAIN))
    yield _reached("model", lambda: captioner.caption(picture.for_model(), evidence, PLAIN))


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
