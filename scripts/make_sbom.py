"""Writes the software bill of materials of what is deployed, in CycloneDX: `make sbom`.

From the packages in the environment of `--python`, those in the lock, each with the hashes that the
lock allows and the libraries that its wheel carries. It runs in an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from testing.licences import BUNDLED, deployed  # noqa: E402
from testing.locks import LOCKS, Locked, direct, read  # noqa: E402

Component = dict[str, Any]


def installed(python: str) -> dict[str, Any]:
    """The bill of all packages in an environment, with their licences."""
    done = subprocess.run(  # noqa: S603
        [
            *(sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "environment"),
            *("--pyproject", str(ROOT / "pyproject.toml")),
            *("--spec-version", "1.6", "--output-reproducible", "--output-format", "JSON", python),
        ],
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def key(name: str, version: str) -> tuple[str, str]:
    """A package; its name may be spelled in several ways."""
    return canonicalize_name(name), version


def locked() -> dict[tuple[str, str], Locked]:
    """The packages of the lock."""
    return {
        key(each.requirement.name, next(iter(each.requirement.specifier)).version): each
        for each in read(LOCKS[0]).packages
    }


def source(component: Component, package: Locked) -> Component:
    """Where a package comes from: any of the files with these hashes."""
    hashes = [{"alg": "SHA-256", "content": each.split(":")[1]} for each in package.hashes]
    return {"type": "distribution", "url": component["purl"], "hashes": hashes}


def bundled(wheel: str) -> list[Component]:
    """The libraries in the wheel of this package."""
    return [
        {
            "type": "library",
            "bom-ref": f"{wheel}:{name}",
            "name": name,
            "licenses": [{"expression": licence}],
        }
        for name, licence in BUNDLED.get(wheel, {}).items()
    ]


def bill(python: str) -> dict[str, Any]:
    """The document. SystemExit where the environment lacks a package of the lock."""
    bom = installed(python)
    lock = locked()
    components: dict[str, Component] = {}
    for component in bom["components"]:
        name, version = key(component["name"], component["version"])
        if package := lock.get((name, version)):
            component.setdefault("externalReferences", []).append(source(component, package))
            if libraries := bundled(name):
                component["components"] = libraries
            components[name] = component
    if missing := deployed().keys() - components:
        sys.exit(f"{python} lacks packages of {LOCKS[0].name}: {', '.join(sorted(missing))}")
    root = bom["metadata"]["component"]["bom-ref"]
    kept = {each["bom-ref"] for each in components.values()} | {root}
    needs = {
        each["ref"]: kept.intersection(each.get("dependsOn", ())) for each in bom["dependencies"]
    }
    wanted = (canonicalize_name(each.name) for each in direct(LOCKS[0].with_suffix(".in")))
    needs[root] = {components[name]["bom-ref"] for name in wanted}
    bom["components"] = list(components.values())
    bom["dependencies"] = [
        {"ref": ref, "dependsOn": sorted(needs.get(ref, ()))} for ref in sorted(kept)
    ]
    return bom


def main() -> None:
    """Writes the file, once it is valid."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", required=True, help="of the environment with the packages")
    parser.add_argument("--output", required=True, type=Path)
    options = parser.parse_args()
    text = json.dumps(bill(options.python), indent=2, sort_keys=True) + "\n"
    if errors := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        sys.exit(f"the bill of materials is not valid: {errors}")
    options.output.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
