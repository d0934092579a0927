"""What ships is listed with its licence, in the documentation and in the bill of materials."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.licenses import canonicalize_license_expression
from packaging.utils import canonicalize_name

from testing.licences import BUNDLED, PAGE, carried, deployed, licence, linked, renewed
from testing.locks import LOCKS, direct, read
from testing.paths import ROOT

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="wheels of other systems differ")


def test_the_page_lists_what_is_installed() -> None:
    """`python -m testing.licences` writes it."""
    page = PAGE.read_text("utf-8")
    assert renewed(page) == page
    assert all(f"| `{name}` | " in page for name in deployed())


def test_every_package_has_a_licence_that_spdx_knows() -> None:
    for name in deployed():
        stated = licence(name)
        assert stated, name
        assert canonicalize_license_expression(stated) == stated, name


@on_linux
def test_every_library_in_a_wheel_is_listed() -> None:
    assert {name: found for name in deployed() if (found := carried(name))} == {
        name: set(libraries) for name, libraries in BUNDLED.items()
    }


def test_every_library_has_a_licence_that_spdx_knows() -> None:
    stated = {one for libraries in BUNDLED.values() for one in libraries.values()}
    compiled = {one for name in deployed() for one in linked(name)}
    for one in stated | compiled:
        assert canonicalize_license_expression(one), one


def test_gpl_alone_is_in_one_library_only() -> None:
    """Whoever finds another one has to say what it means, as the page does for this one."""
    alone = {
        library
        for libraries in BUNDLED.values()
        for library, stated in libraries.items()
        if re.fullmatch(r"A?GPL-[\w.-]+", stated)
    }
    compiled = {one for name in deployed() for one in linked(name)}
    assert alone == {"libx265"}
    assert not [one for one in compiled if re.search(r"\bA?GPL", one) and " OR " not in one]
    stated = {name: str(licence(name)) for name in deployed()}
    assert not [name for name, one in stated.items() if "GPL" in one and " OR " not in one]


@pytest.fixture(scope="module")
def bom(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The bill that `make sbom` writes, of the environment of the tests."""
    file = tmp_path_factory.mktemp("sbom") / "sbom.cdx.json"
    tool = ROOT / ".venv-sbom/bin/python"
    command = [str(tool), "scripts/make_sbom.py", "--python", sys.executable, "--output", str(file)]
    subprocess.run(command, cwd=ROOT, check=True)
    found: dict[str, Any] = json.loads(Path(file).read_text("utf-8"))
    return found


def test_the_bill_has_all_that_is_deployed_and_nothing_else(bom: dict[str, Any]) -> None:
    """It is valid, or the script ends without it."""
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = {canonicalize_name(each["name"]): each["version"] for each in bom["components"]}
    assert found == read(LOCKS[0]).versions(python)


def test_every_part_of_the_bill_has_hashes_and_a_licence(bom: dict[str, Any]) -> None:
    locked = {each for package in read(LOCKS[0]).packages for each in package.hashes}
    for part in bom["components"]:
        assert part["licenses"], part["name"]
        [source] = [each for each in part["externalReferences"] if "hashes" in each]
        hashes = {f"sha256:{each['content']}" for each in source["hashes"]}
        assert hashes, part["name"]
        assert hashes <= locked, part["name"]


def test_the_bill_has_the_libraries_in_wheels(bom: dict[str, Any]) -> None:
    found = {
        canonicalize_name(part["name"]): {inner["name"] for inner in part["components"]}
        for part in bom["components"]
        if "components" in part
    }
    assert found == {name: set(libraries) for name, libraries in BUNDLED.items()}


def test_the_bill_says_what_needs_what(bom: dict[str, Any]) -> None:
    needs = {each["ref"]: each["dependsOn"] for each in bom["dependencies"]}
    own = needs[bom["metadata"]["component"]["bom-ref"]]
    wanted = {canonicalize_name(each.name) for each in direct(LOCKS[0].with_suffix(".in"))}
    assert {canonicalize_name(ref.partition("==")[0]) for ref in own} == wanted
    assert any(ref.startswith("pydantic_core==") for refs in needs.values() for ref in refs)
