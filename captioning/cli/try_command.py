"""`python -m captioning try`: shows the captions of several prompts and models side by side."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from captioning.cli import console
from captioning.cli.context import reported

if TYPE_CHECKING:
    from captioning.cli.trial import Attempt, Tried
    from captioning.domain.usage import Usage


def try_(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", exists=True, dir_okay=False, help="Pictures."),
    ],
    *,
    prompt: Annotated[
        list[Path] | None, typer.Option(help="A prompt file; may be repeated.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="A model's deployment; may be repeated.")
    ] = None,
    languages: Annotated[
        str | None, typer.Option(help="Replaces CAPTION_LANGUAGES, such as de,en.")
    ] = None,
) -> None:
    """Show what other prompts and models answer and cost. Nothing is stored."""
    from captioning.cli.trial import Trial, variants
    from captioning.config.settings import local_environ
    from captioning.domain.usage import NOTHING

    paid, failed = NOTHING, False
    with reported():
        ways = variants(local_environ(Path.cwd()), prompt or [], model or [], languages)
        with closing(Trial(ways)) as trial:
            for tried in trial.files(files):
                _show(tried)
                paid += tried.paid
                failed = failed or tried.failed
    console.say(f"total: {_cents(paid)}; nothing was stored")
    if failed:
        raise typer.Exit(1)


def _show(tried: Tried) -> None:
    console.say(console.readable(str(tried.file)))
    if tried.error:
        console.say(f"{tried.error.code}: {tried.error.message}\n")
        return
    head = ["", *(attempt.variant for attempt in tried.attempts)]
    columns = [_column(attempt) for attempt in tried.attempts]
    names = dict.fromkeys(name for column in columns for name in column)
    rows = [[name, *(column.get(name, "") for column in columns)] for name in names]
    console.print_grid(head, rows)
    console.say(f"Vision, once: {tried.vision.vision_calls} calls, {_cents(tried.vision)}\n")


def _column(attempt: Attempt) -> dict[str, str]:
    """The cells of an attempt's column, by the names of their rows and in their order."""
    column: dict[str, str] = {}
    made = attempt.captioning
    for language, text in made.texts.items() if made else ():
        column[f"caption {language}"] = text.caption
        column[f"alt text {language}"] = console.measured(text.alt_text) or "(decorative)"
        column[f"description {language}"] = text.description
    if made and made.note:
        column["note"] = made.note
    if attempt.error:
        column["error"] = f"{attempt.error.code}: {attempt.error.message}"
    usage = attempt.usage
    column["tokens"] = f"{usage.input_tokens:,} in, {usage.output_tokens:,} out"
    column["price"] = _cents(usage)
    column["seconds"] = f"{attempt.seconds:.1f}"
    return column


def _cents(usage: Usage) -> str:
    return "price unknown" if usage.usd is None else f"{usage.usd * 100:.4f} US cents"
