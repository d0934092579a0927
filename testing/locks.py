"""The lists of packages, `requirements*.in`, and the locks that `make lock` writes from them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from testing.paths import ROOT

LOCKS = [ROOT / "requirements.txt", *sorted(ROOT.glob("requirements-*.txt"))]
"""The first is what is deployed."""


@dataclass(frozen=True, slots=True)
class Locked:
    """A package in a lock, and the hashes of its release's files as `sha256:…`."""

    requirement: Requirement
    hashes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock, and its text without comments."""

    file: Path
    text: str
    packages: tuple[Locked, ...]

    def versions(self, python: str) -> dict[str, str]:
        """Version by normalised name of what is installed on this Python, on Linux."""
        of_python = {
            "python_version": python,
            "python_full_version": f"{python}.0",
            "sys_platform": "linux",
            "platform_system": "Linux",
        }
        return {
            canonicalize_name(package.requirement.name): next(
                iter(package.requirement.specifier)
            ).version
            for package in self.packages
            if not package.requirement.marker or package.requirement.marker.evaluate(of_python)
        }


def read(file: Path) -> Lock:
    """The lock in this file."""
    text = re.sub(r"^\s*#.*\n", "", file.read_text("utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return Lock(file, text, tuple(map(_locked, lines)))


def direct(file: Path) -> Iterator[Requirement]:
    """What a list asks for, and the lists that it includes."""
    for line in file.read_text("utf-8").splitlines():
        if line.startswith("-r "):
            yield from direct(file.with_name(line[3:]))
        elif line and not line.startswith("#"):
            yield Requirement(line)


def layers() -> list[Path]:
    """What is deployed, what a laptop has, and what the tests have: each in the next."""
    return [ROOT / f"requirements{layer}.txt" for layer in ("", "-local", "-dev")]


def _locked(line: str) -> Locked:
    requirement, *hashes = line.split("--hash=")
    return Locked(Requirement(requirement.strip()), tuple(each.strip() for each in hashes))
