"""What is installed is locked by hash, and what CI runs by digest."""

from __future__ import annotations

import re
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from testing.locks import LOCKS, Lock, direct, layers, read
from testing.paths import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PYTHONS = ("3.11", "3.12", "3.13")
BINARY = ("pillow", "pillow-heif", "pycurl", "pydantic-core", "regex", "cryptography")
"""Deployed packages whose wheels are made for each platform and Python."""


@pytest.fixture(params=LOCKS, ids=lambda file: file.stem)
def lock(request: pytest.FixtureRequest) -> Lock:
    return read(request.param)


def test_every_list_of_packages_has_its_lock() -> None:
    assert {file.stem for file in ROOT.glob("requirements*.in")} == {file.stem for file in LOCKS}


def test_every_locked_package_has_one_version_and_hashes(lock: Lock) -> None:
    """pip demands a hash for everything as soon as one package has one."""
    assert lock.packages
    for package in lock.packages:
        [pin] = package.requirement.specifier
        assert pin.operator == "==", package.requirement
        assert package.requirement.url is None, package.requirement
        assert package.hashes, package.requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in package.hashes)


def test_a_lock_names_no_index_and_no_machine(lock: Lock) -> None:
    assert not re.search(r"://|^-(?!-hash)|^/|find-links|index-url", lock.text, re.MULTILINE)


def test_a_lock_has_what_is_asked_for(lock: Lock) -> None:
    """`make lock` after a change of requirements*.in, or this fails."""
    for wanted in direct(lock.file.with_suffix(".in")):
        for python in PYTHONS:
            if wanted.marker and not wanted.marker.evaluate({"python_version": python}):
                continue
            found = lock.versions(python).get(canonicalize_name(wanted.name))
            assert found is not None, f"{wanted} on {python}: make lock"
            assert wanted.specifier.contains(found), f"{wanted} is locked as {found}: make lock"


@pytest.mark.parametrize("file", layers(), ids=lambda file: file.stem)
def test_a_lock_has_what_its_packages_need(file: Path) -> None:
    """As far as they are installed: pip would not install without it."""
    locked = read(file).versions(f"{sys.version_info.major}.{sys.version_info.minor}")
    for name in locked:
        for needed in map(Requirement, distribution(name).requires or ()):
            if not needed.marker or needed.marker.evaluate({"extra": ""}):
                found = locked.get(canonicalize_name(needed.name))
                assert found, f"{name} needs {needed}: make lock"
                assert needed.specifier.contains(found, prereleases=True), f"{name}: {needed}"


@pytest.mark.parametrize("python", PYTHONS)
def test_a_laptop_and_the_tests_have_what_is_deployed(python: str) -> None:
    deployed, *others = (read(file).versions(python) for file in layers())
    for other in others:
        assert deployed.items() <= other.items()


def test_wheels_of_every_platform_are_in_the_lock() -> None:
    """Not only the file that this machine would take: the index lists some twenty for each."""
    packages = {canonicalize_name(p.requirement.name): p for p in read(LOCKS[0]).packages}
    for name in BINARY:
        assert len(packages[canonicalize_name(name)].hashes) >= 15, name


def test_what_is_asked_for_is_pinned() -> None:
    for file in LOCKS:
        for wanted in direct(file.with_suffix(".in")):
            assert re.fullmatch(r"==[\w.]+", str(wanted.specifier)), f"{file.stem}: {wanted}"


def test_make_and_the_lock_script_install_nothing_without_hashes() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    [options] = re.findall(r"^PIP_INSTALL := (.*)$", makefile, re.MULTILINE)
    assert "--require-hashes" in options
    assert makefile.count("pip install") == 1
    assert makefile.count("$(PIP_INSTALL)") == 3


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.stem)
def test_actions_are_pinned_by_digest(workflow: Path) -> None:
    """A tag can be moved; the comment says which version the digest was."""
    used = re.findall(r"uses: (.*)", workflow.read_text("utf-8"))
    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_an_action_has_one_digest() -> None:
    text = "".join(file.read_text("utf-8") for file in WORKFLOWS)
    used = set(re.findall(r"uses: (\S+)@(\S+)", text))
    assert len(used) == len({name for name, _ in used})


def test_what_is_pinned_is_kept_up_to_date() -> None:
    text = (ROOT / ".github/dependabot.yml").read_text("utf-8")
    assert set(re.findall(r"package-ecosystem: (\S+)", text)) == {"uv", "npm", "github-actions"}


def test_a_lock_without_a_hash_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one==1.0 \\\n    --hash=sha256:00\ntwo==2.0\n", "utf-8")
    first, second = read(tmp_path / "a.txt").packages
    assert (str(first.requirement), first.hashes) == ("one==1.0", ("sha256:00",))
    assert (second.requirement, second.hashes) == (Requirement("two==2.0"), ())
