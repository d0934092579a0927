"""Typed reading of environment variables, which collects all errors instead of stopping at one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from captioning.addresses import check_address, fits_a_header

Choice = TypeVar("Choice", bound=str)
DEVELOPMENT = "UseDevelopmentStorage=true"


class Environment:
    """Values by name, and defaults by name where a value is unset. `problems` maps the names of bad
    settings to what is wrong with them. It never repeats the value, which may be a secret in the
    wrong place."""

    def __init__(self, values: Mapping[str, str], defaults: Mapping[str, str]) -> None:
        self._values = values
        self._defaults = defaults
        self.problems: dict[str, str] = {}

    def problem(self, name: str, what: str) -> None:
        """Notes a problem of a setting; only the first one is kept."""
        self.problems.setdefault(name, what)

    def text(self, name: str) -> str:
        """The value, or the default where it is unset or empty."""
        return self._values.get(name, "").strip() or self._defaults[name]

    def optional(self, name: str) -> str | None:
        """The value, or None."""
        return self.text(name) or None

    def secret(self, name: str) -> str | None:
        """A key that can be sent in a header, or None."""
        value = self.optional(name)
        if value and not fits_a_header(value):
            self.problem(name, "has characters that a key cannot have")
        return value

    def connection_string(self, name: str) -> str | None:
        """A storage account's connection string, or None."""
        value = self.optional(name)
        if value and value != DEVELOPMENT:
            pairs = (part.partition("=") for part in value.rstrip(";").split(";"))
            given = {key.lower() for key, _, content in pairs if content}
            signed = "sharedaccesssignature" in given or {"accountname", "accountkey"} <= given
            found = "accountname" in given or {"blobendpoint", "tableendpoint"} <= given
            if not (signed and found):
                self.problem(name, f"must be a connection string, or {DEVELOPMENT}")
        return value

    def choice(self, name: str, *choices: Choice) -> Choice:
        """One of `choices`."""
        value = self.text(name)
        for choice in choices:
            if value == choice:
                return choice
        self.problem(name, f"must be one of {', '.join(choices)}")
        return choices[0]

    def whole(self, name: str, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self.text(name)
        if re.fullmatch(r"[0-9]{1,18}", value) and low <= int(value) <= high:
            return int(value)
        self.problem(name, f"must be a whole number from {low} to {high}")
        return low

    def fraction(self, name: str) -> float:
        """A number from 0 to 1."""
        value = self.text(name)
        if re.fullmatch(r"0|1|[01]?\.\d+", value) and float(value) <= 1:
            return float(value)
        self.problem(name, "must be a number from 0 to 1")
        return 0.0

    def dollars(self, name: str) -> float | None:
        """A positive number of dollars, or None."""
        value = self.text(name)
        if not value:
            return None
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", value):
            self.problem(name, "must be a number of dollars such as 5 or 0.50, without a sign")
        elif float(value) == 0:
            self.problem(
                name,
                "must be more than 0, with which nothing is captioned; leave it empty for no limit",
            )
        return float(value) if name not in self.problems else None

    def matching(self, name: str, pattern: str, what: str) -> str:
        """Text that fully matches a regular expression; `what` describes it."""
        value = self.text(name)
        if not re.fullmatch(pattern, value):
            self.problem(name, f"must be {what}")
        return value

    def words(self, name: str, allowed: frozenset[str]) -> tuple[str, ...]:
        """Comma-separated words out of `allowed`, without repeats."""
        words = tuple(dict.fromkeys(word.strip() for word in self.text(name).split(",")))
        if not allowed.issuperset(words):
            self.problem(name, f"must be a comma-separated list of {', '.join(sorted(allowed))}")
        return words

    def file_patterns(self, name: str) -> tuple[str, ...]:
        """Comma-separated patterns of file names. Here an empty value is not the default: it is no
        pattern at all."""
        value = self._values.get(name, self._defaults[name])
        patterns = tuple(dict.fromkeys(each.strip() for each in value.split(",") if each.strip()))
        if any("/" in each or set(each) <= set("*?.") for each in patterns):
            self.problem(
                name, "must be patterns of file names such as *.txt, none of which fits every name"
            )
        return patterns

    def languages(self, name: str) -> tuple[str, ...]:
        """Comma-separated language tags such as en or pt-BR."""
        tags = tuple(dict.fromkeys(tag.strip() for tag in self.text(name).split(",")))
        if not all(re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", tag) for tag in tags):
            self.problem(name, "must be a comma-separated list of language tags such as en,pt-BR")
        return tags

    def url(self, name: str, *, required: bool, has_key: bool = True) -> str:
        """An address without a trailing slash. It is checked only where it is required: https, or
        http on a loopback address, where a key or token is sent there."""
        value = self.text(name).rstrip("/")
        if required and not value:
            self.problem(name, "is required")
        elif required:
            try:
                check_address(value, name, has_key=has_key)
            except ValueError as error:
                self.problem(name, str(error).removeprefix(name).strip())
        return value

    def file(self, name: str) -> Path | None:
        """A readable text file."""
        value = self.text(name)
        if not value:
            return None
        path = Path(value)
        try:
            path.read_text("utf-8")
        except (OSError, ValueError):
            self.problem(name, "must be the path of a readable UTF-8 text file")
        return path
