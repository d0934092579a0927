"""`reprocess`: images asked for again, by the status of their records or by what made them; and
`revert`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest

from captioning.app.clients import ServiceClients
from captioning.app.credentials import identity_of
from captioning.config.settings import Settings
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import Provenance, RecordError, Status
from captioning.domain.usage import Usage
from captioning.errors import StorageUnavailable
from captioning.records import catalog
from captioning.records.edits import kept
from captioning.storage.queues import MessageQueue
from testing.factories.records import minutes, short
from testing.harness.command_line import CommandLine
from testing.harness.functions import waiting
from testing.harness.storage import Storage

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
        "2 images queued again",
    ]
    assert sorted(wake.path for wake in waiting(storage)) == ["[red]b.jpg", "a.jpg"]


def test_a_dry_run_lists_them_and_asks_for_none(command: CommandLine, storage: Storage) -> None:
    save(storage, "captioned", "a.jpg")
    result = command("reprocess", "--status", "captioned", "--dry-run")
    assert result.stdout == "captioned a.jpg\n1 image would be queued again\n"
    assert waiting(storage) == []


@pytest.mark.parametrize("status", ["failed", "rejected", "deferred", "captioned"])
def test_no_image_with_the_status_is_none_asked_for(command: CommandLine, status: str) -> None:
    result = command("reprocess", "--status", status)
    assert (result.exit_code, result.stdout) == (0, "0 images queued again\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "select images with --stale, --status, or both"),
        (("--status", "processing"), "--status"),
        (("--status", ""), "--status"),
        (("--status", "failed", "--budget", "1"), "require --stale"),
        (("--status", "failed", "--retry"), "require --stale"),
        (("--stale", "--budget", "-1"), "--budget"),
        (("--stale", "--budget", "nan"), "--budget"),
        (("--stale", "--limit", "0"), "--limit"),
        (("--stale", "--older-than-model", "gpt-5-mini"), "has no date"),
        (("--stale", "--older-than-model", "2024-02-30"), "has no date"),
    ],
)
def test_what_is_meant_has_to_be_said(
    command: CommandLine, options: tuple[str, ...], said: str
) -> None:
    """What costs money is not asked for by leaving something out."""
    result = command("reprocess", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in " ".join(result.stderr.replace("│", " ").split())


def test_its_help_says_what_is_paid_for_again(command: CommandLine) -> None:
    assert "captioned ones are charged again" in " ".join(
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

    def put(_: MessageQueue, wake: CaptionMessage, _delay: float) -> None:
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
    monkeypatch.setattr(catalog, "PAGE", 1)
    monkeypatch.setattr(MessageQueue, "put", stopped_by(error, sent))
    save(storage, "failed", "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    result = command("reprocess", "--status", "failed")
    assert (result.exit_code, result.stderr) == (code, said)
    assert sent == ["d.jpg", "c.jpg"]
    assert result.stdout.splitlines()[-1] == "2 images queued again"


MADE = Provenance(model="gpt-4o-mini-2024-07-18", fingerprint="before")
PAID = Usage(3_000, output_tokens=100, vision_calls=3, usd=1.0)


SERVICES = {
    "VISION_PROVIDER": "azure",
    "VISION_ENDPOINT": "https://vision.example",
    "VISION_KEY": "a-key",
    "CAPTION_PROVIDER": "openai",
    "OPENAI_BASE_URL": "https://model.example/v1",
    "OPENAI_API_KEY": "a-key",
}
"""Nobody is asked."""


def stale(storage: Storage, *paths: str) -> None:
    """Records that other settings have made."""
    for number, path in enumerate(paths):
        record = short(path, minutes(number), provenance=MADE, usage=PAID)
        storage.catalog.save(record, None)


def made_by_the_app(storage: Storage, *paths: str) -> None:
    """What the app makes of these images with the settings of SERVICES."""
    settings = Settings.from_environ({"ImageStorage": storage.connection, **SERVICES})
    with closing(ServiceClients(settings, identity_of(settings))) as clients:
        made = Provenance(fingerprint=clients.providers.fingerprint)
    for path in paths:
        stored = storage.catalog.get(path)
        storage.catalog.save(replace(short(path), provenance=made), stored)


def test_what_is_stale_is_asked_for_with_its_price_and_on_from_there(
    command: CommandLine, storage: Storage
) -> None:
    command.settings.update(SERVICES)
    stale(storage, "a.jpg", "b.jpg", "c.jpg")
    save(storage, "failed", "never asked.jpg")
    row = "captioned $0.004010     gpt-4o-mini-2024-07-18  "
    how = "(estimated from the tokens that each used last time)"
    listed = command("reprocess", "--stale", "--older-than-model", "2024-07-19", "--dry-run")
    assert (listed.exit_code, listed.stderr) == (0, "")
    assert listed.stdout.splitlines() == [
        *(f"{row}{path}" for path in ("c.jpg", "b.jpg", "a.jpg")),
        f"3 images would be queued again, for about $0.012030 {how}",
    ]
    assert waiting(storage) == []
    first = command("reprocess", "--stale", "--budget", "0.01")
    assert first.stdout.splitlines()[2:] == [
        f"2 images queued again, for about $0.008020 {how}",
        "The budget was reached: stopped before a.jpg.",
    ]
    made_by_the_app(storage, "c.jpg", "b.jpg")
    second = command("reprocess", "--stale", "--budget", "0.01")
    assert second.stdout.splitlines() == [
        f"{row}a.jpg",
        f"1 image queued again, for about $0.004010 {how}",
    ]
    assert [wake.path for wake in waiting(storage)] == ["c.jpg", "b.jpg", "a.jpg"]


def test_a_budget_without_a_price_says_so(command: CommandLine, storage: Storage) -> None:
    stale(storage, "a.jpg")
    command.settings.update(SERVICES, CAPTION_MODEL="unheard-of")
    result = command("reprocess", "--stale", "--budget", "1")
    assert result.exit_code == 1
    assert "The budget needs a price for the next image" in result.stdout
    assert waiting(storage) == []


def test_an_older_text_is_brought_back(command: CommandLine, storage: Storage) -> None:
    known = short("a.jpg", provenance=MADE)
    made = replace(known, caption="A new one.", provenance=replace(MADE, fingerprint="now"))
    storage.catalog.save(kept(made, known), None)
    result = command("revert", "a.jpg")
    assert result.exit_code == 0
    assert "caption      Caption of a.jpg." in result.stdout.splitlines()
    assert "before       A new one." in result.stdout.splitlines()
    assert command("revert", f"sha256:{known.id}").exit_code == 0
    stored = storage.catalog.get("a.jpg")
    assert stored
    assert stored.record.caption == "A new one."


@pytest.mark.parametrize(
    ("path", "said"), [("a.jpg", "nothing to go back to"), ("b.jpg", "There is no record")]
)
def test_what_cannot_be_reverted_is_told(
    command: CommandLine, storage: Storage, path: str, said: str
) -> None:
    save(storage, "captioned", "a.jpg")
    result = command("revert", path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr


def test_nothing_stale_is_nothing_to_pay(command: CommandLine, storage: Storage) -> None:
    save(storage, "captioned", "a.jpg")
    result = command("reprocess", "--stale", "--budget", "1")
    assert (result.exit_code, result.stdout) == (0, "0 images queued again\n")
