"""Which function serves a method and a path, by the functions' route templates.

A template may have literals, `{name}`, `{name?}`, `{*name}` and the constraints int, minlength(n)
and maxlength(n). Segments that mix text and parameters, default values and other constraints are
not supported, because no route of the app needs them; HostStartError names the first of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from captioning.embedded.host.functions import Function, HostStartError

ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
ESCAPES_BUT_SLASH = re.compile(r"(?:%(?!2[Ff])[0-9A-Fa-f]{2})+")
NOT_IN_A_PATH = re.compile(r"%(?![0-9A-Fa-f]{2})|[^%A-Za-z0-9/._~!$&'()*+,;=:@-]+")
PARAMETER = re.compile(r"\{(\*?)(\w+)((?::\w+(?:\([^()]*\))?)*)(\??)\}")
CONSTRAINT = re.compile(r":(\w+)(?:\(([^()]*)\))?")
INT = re.compile(r"\s*[+-]?[0-9]+\s*")
Check = Callable[[str], bool]


class BadTarget(ValueError):
    """A target that the server refuses with 400."""


@dataclass(frozen=True)
class Target:
    """The target of a request: `path` decoded once and without dot segments, `query` as it was
    sent, with its `?`."""

    path: str
    query: str

    @property
    def url(self) -> str:
        """Path and query as they appear in a function's `req.url`."""
        path = NOT_IN_A_PATH.sub(lambda found: quote(found[0], safe=""), self.path)
        return path + self.query

    @property
    def params(self) -> dict[str, str]:
        """The query as a function's `req.params`: without empty values, and with the values of a
        name that is repeated, in whatever case, joined by commas."""
        values: dict[str, list[str]] = {}
        names: dict[str, str] = {}
        for pair in self.query[1:].replace("+", " ").split("&"):
            raw_name, _, raw_value = pair.partition("=")
            name, value = unescaped(raw_name), unescaped(raw_value)
            if value:
                key = names.setdefault(name.lower(), name)
                values.setdefault(key, []).append(value)
        return {name: ",".join(parts) for name, parts in values.items()}


def parse_target(raw: str) -> Target:
    """Parses the target of a request, also an absolute one (`GET http://host/path`). Raises
    BadTarget if the path has a NUL."""
    path, mark, query = raw.partition("?")
    if not path.startswith("/"):
        path = urlsplit(path).path or "/"
    path = ESCAPES_BUT_SLASH.sub(_decode_run, path)
    if "\0" in path:
        raise BadTarget
    return Target(_without_dots(path), mark + query)


@dataclass(frozen=True)
class Parameter:
    """A segment of a template in braces."""

    name: str
    checks: tuple[Check, ...]
    optional: bool
    catch_all: bool

    def takes(self, value: str) -> bool:
        """Whether the value satisfies every constraint."""
        return all(check(value) for check in self.checks)

    @property
    def may_be_missing(self) -> bool:
        """Whether a path may lack the segment: `{*path}` also matches nothing, unless it has a
        constraint."""
        return self.optional or (self.catch_all and not self.checks)


Segment = str | Parameter


@dataclass(frozen=True)
class Route:
    """The template of one HTTP function and its methods; None stands for every method."""

    function: Function
    methods: frozenset[str] | None
    segments: tuple[Segment, ...]

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """The values of the parameters, by name; None if the route does not serve this request."""
        if self.methods is not None and method not in self.methods:
            return None
        values: dict[str, str] = {}
        tokens = list(_tokens(path))
        for segment, (offset, token) in zip(self.segments, tokens, strict=False):
            if isinstance(segment, str):
                if token.lower() != segment:
                    return None
                continue
            value = path[offset:] if segment.catch_all else token
            if not token or not segment.takes(value):
                return None
            values[segment.name] = value
            if segment.catch_all:
                return values
        missing = self.segments[len(tokens) :]
        complete = all(isinstance(left, Parameter) and left.may_be_missing for left in missing)
        return values if complete and len(tokens) <= len(self.segments) else None


class Router:
    """The routes in the order in which the real host tries them: by function name, ignoring
    case."""

    def __init__(self, functions: Iterable[Function], prefix: str) -> None:
        ordered = sorted(functions, key=lambda function: function.name.lower())
        self._routes = [_route(function, prefix) for function in ordered]

    def find(self, method: str, path: str) -> tuple[Function, dict[str, str]] | None:
        """The first function that serves the request, with the values of its route's parameters."""
        for route in self._routes:
            values = route.match(method, path)
            if values is not None:
                return route.function, values
        return None


def _route(function: Function, prefix: str) -> Route:
    """The route that a function declares; its name, where it declares none."""
    methods = function.binding.get("methods")
    template = function.binding.get("route") or function.name
    parts = f"{prefix}/{template}".strip("/").split("/")
    return Route(
        function,
        frozenset(str(method).upper() for method in methods) if methods else None,
        tuple(_segment(part, function.name) for part in parts),
    )


def _segment(part: str, function: str) -> Segment:
    """Parses a segment of a template; HostStartError if its form is not supported."""
    if "{" not in part and "}" not in part:
        return part.lower()
    found = PARAMETER.fullmatch(part)
    if not found:
        raise HostStartError(f"{function}: the embedded host does not know the segment '{part}'")
    star, name, constraints, mark = found.groups()
    checks = tuple(_check(kind, limit, function) for kind, limit in CONSTRAINT.findall(constraints))
    return Parameter(name, checks, optional=bool(mark), catch_all=bool(star))


def _check(kind: str, limit: str, function: str) -> Check:
    """Parses a constraint; HostStartError if it is not supported."""
    if kind == "int" and not limit:
        return lambda value: bool(INT.fullmatch(value)) and -(2**31) <= int(value) < 2**31
    if kind == "minlength" and limit.isdigit():
        return lambda value: _units(value) >= int(limit)
    if kind == "maxlength" and limit.isdigit():
        return lambda value: _units(value) <= int(limit)
    shown = f"{kind}({limit})" if limit else kind
    raise HostStartError(f"{function}: the embedded host does not know the constraint '{shown}'")


def _units(value: str) -> int:
    """The length as .NET counts it, in UTF-16 units."""
    return len(value.encode("utf-16-le")) // 2


def _tokens(path: str) -> Iterator[tuple[int, str]]:
    """The segments of a path with their offsets. One trailing slash is ignored; `//` holds an empty
    segment."""
    if path == "/":
        return
    offset = 1
    for token in path[1:].removesuffix("/").split("/"):
        yield offset, token
        offset += len(token) + 1


def unescaped(text: str) -> str:
    """The text with its `%XX` decoded once; bytes that are not UTF-8 stay escaped."""
    return ESCAPES.sub(_decode_run, text)


def _decode_run(match: re.Match[str]) -> str:
    """A sequence of `%XX` as text."""
    run = match[0]
    text = bytes.fromhex(run.replace("%", "")).decode("utf-8", "surrogateescape")
    decoded, position = [], 0
    for character in text:
        invalid = "\udc80" <= character <= "\udcff"
        decoded.append(run[position : position + 3] if invalid else character)
        position += 3 if invalid else 3 * len(character.encode())
    return "".join(decoded)


def _without_dots(path: str) -> str:
    """The path without `.` and `..` segments (RFC 3986, 5.2.4), with double and trailing
    slashes."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for position, segment in enumerate(segments, start=1):
        if segment not in {".", ".."}:
            kept.append(segment)
            continue
        if segment == ".." and kept:
            kept.pop()
        if position == len(segments):
            kept.append("")
    return "/" + "/".join(kept)
