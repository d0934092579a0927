"""A stand-in for `az` and `azd` on PATH: answers from a script, and logs the commands.

Runs as a program of its own. FAKE_AZURE names a folder with `script.json`, which maps the first
words of a command to its answers in order; the last one repeats. An answer is what Azure would
return, or `{"error": "text"}`. `--query` and `-o tsv` work as in the CLI.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import jmespath


def _answer(folder: Path, command: str, arguments: list[str]) -> Any:
    script: dict[str, list[Any]] = json.loads((folder / "script.json").read_text("utf-8"))
    with (folder / "asked.jsonl").open("a", encoding="utf-8") as asked:
        asked.write(json.dumps([command, *arguments]) + "\n")
    said = " ".join([command, *arguments])
    [words] = [words for words in script if said.startswith(words)]
    lines = (folder / "asked.jsonl").read_text("utf-8").splitlines()
    before = sum(" ".join(json.loads(line)).startswith(words) for line in lines)
    return script[words][min(before, len(script[words])) - 1]


def _tsv(found: Any) -> str:
    """The output of the CLI: nothing for null, a line for each item, with tabs between columns."""
    if found is None:
        return ""
    rows = found if isinstance(found, list) else [found]
    return "".join(f"{_row(row)}\n" for row in rows)


def _row(row: Any) -> str:
    if isinstance(row, list):
        return "\t".join(map(str, row))
    return str(row).lower() if isinstance(row, bool) else str(row)


def main() -> int:
    """Runs one command; the exit status."""
    command, arguments = Path(sys.argv[1]).name, sys.argv[2:]
    answer = _answer(Path(os.environ["FAKE_AZURE"]), command, arguments)
    if isinstance(answer, dict) and "error" in answer:
        sys.stderr.write(f"ERROR: {answer['error']}\n")
        return 1
    if "--query" in arguments:
        answer = jmespath.search(arguments[arguments.index("--query") + 1], answer)
    sys.stdout.write(_tsv(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
