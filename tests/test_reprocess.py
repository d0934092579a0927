"""`reprocess`: images asked for again, by the status of their records."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from captioning import reprocess
from captioning.deferrals import DeferralQueue
from captioning.errors import StorageUnavailable
from captioning.models import RecordError, Status
from captioning.wake import Wake
from tests.command_line import CommandLine
from tests.function_lab import waiting
from tests.records import minutes, short
from tests.storage_lab import Storage

GAVE_UP = RecordError("gave_up", "Given up.")


def save(storage: Storage, status: Status, *paths: str) -> None:
    """Records with this status, the last path's the newest."""
    for number, path in enumerate(paths):
        error = None if status == "captioned" else GAVE_UP
        storage.catalog.save(short(path, minutes(number), status=status, error=error), None)


def test_each_image_with_the_status_is_asked_for(command: CommandLine, storage: Storage) -> None:
    save(storage, "failed", "a.jpg", "[red]b.jpg")
    save(storage, "captioned", "c.jpg")
    result = command("reprocess", "--status", "failed")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "failed    [red]b.jpg  gave_up",
        "failed    a.jpg  gave_up",
        "2 images asked for again",
    ]
    assert sorted(wake.path for wake in waiting(storage)) == ["[red]b.jpg", "a.jpg"]


def test_a_dry_run_lists_them_and_asks_for_none(command: CommandLine, storage: Storage) -> None:
    save(storage, "captioned", "a.jpg")
    result = command("reprocess", "--status", "captioned", "--dry-run")
    assert result.stdout == "captioned a.jpg\n1 image would be asked for again\n"
    assert waiting(storage) == []


@pytest.mark.parametrize("status", ["failed", "rejected", "deferred", "captioned"])
def test_no_image_with_the_status_is_none_asked_for(command: CommandLine, status: str) -> None:
    result = command("reprocess", "--status", status)
    assert (result.exit_code, result.stdout) == (0, "0 images asked for again\n")


@pytest.mark.parametrize("options", [(), ("--status", "processing"), ("--status", "")])
def test_the_status_has_to_be_said(command: CommandLine, options: tuple[str, ...]) -> None:
    """What costs money is not asked for by leaving something out."""
    result = command("reprocess", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--status" in result.stderr


def test_its_help_says_what_is_paid_for_again(command: CommandLine) -> None:
    assert "captioned ones are paid for again" in " ".join(
        command("reprocess", "--help").stdout.split()
    )


def test_control_characters_in_a_path_are_spelled_out(
    command: CommandLine, storage: Storage
) -> None:
    save(storage, "rejected", "esc\x1b.jpg")
    assert command("reprocess", "--status", "rejected").stdout.startswith(
        "rejected  esc\\u001b.jpg  gave_up\n"
    )


def stopped_by(error: BaseException, sent: list[str]) -> Callable[..., None]:
    """A `put` that notes two paths and then ends so."""

    def put(_: DeferralQueue, wake: Wake, _delay: float) -> None:
        if len(sent) == 2:
            raise error
        sent.append(wake.path)

    return put


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, ""),
        (StorageUnavailable("storage answered 503."), 1, "Storage answered 503.\n"),
    ],
    ids=["Ctrl-C", "storage"],
)
def test_it_says_how_far_it_came(
    command: CommandLine,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    said: str,
) -> None:
    """Page by page: nothing is read ahead of what is asked for."""
    sent: list[str] = []
    monkeypatch.setattr(reprocess, "PAGE", 1)
    monkeypatch.setattr(DeferralQueue, "put", stopped_by(error, sent))
    save(storage, "failed", "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    result = command("reprocess", "--status", "failed")
    assert (result.exit_code, result.stderr) == (code, said)
    assert sent == ["d.jpg", "c.jpg"]
    assert result.stdout.splitlines()[-1] == "2 images asked for again"
