"""Dropping files and folders: what is sent, under which name, and what is not sent again."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from azure.storage.blob import ContainerClient

from captioning.cli.drop import OVERTAKEN, drop, find_items
from captioning.errors import BadName
from testing.harness.command_line import CommandLine
from testing.harness.maintenance import InterceptedOnce
from testing.harness.storage import Storage, blobs_in
from testing.harness.waiting import HUNG_SECONDS

JPG = frozenset({".jpg"})
ODD = [
    "a b.jpg",
    "#1.jpg",
    "who?.jpg",
    "%41.jpg",
    "a+b&c=d.jpg",
    'it\'s "quoted".jpg',
    "🏖️.jpg",
    "שלום.jpg",
    "[red]x[bold].jpg",
]


def made(folder: Path, *names: str) -> Path:
    """A folder of files, each with its own name as content."""
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode("utf-8", "surrogateescape"))
    return folder


def shown(name: str) -> str:
    """Right-to-left text is kept to itself."""
    return f"\u2068{name}\u2069" if name.startswith("ש") else name


def etags(storage: Storage) -> dict[str, str]:
    return {blob.path: blob.etag for blob in blobs_in(storage.images)}


def test_folders_give_their_images_under_their_paths(
    command: CommandLine, storage: Storage, tmp_path: Path
) -> None:
    made(
        tmp_path, "top.JPG", "in/deep/er.png", "notes.txt", ".hidden.jpg", ".git/x.jpg", "in/.b.gif"
    )
    result = command("drop", tmp_path, "--prefix", "2026/")
    assert (result.exit_code, result.stderr) == (0, "")
    assert set(etags(storage)) == {"2026/top.JPG", "2026/in/deep/er.png"}
    assert sorted(result.stdout.splitlines()) == [
        "2 sent, 0 already there, 0 failed",
        "sent    2026/in/deep/er.png",
        "sent    2026/top.JPG",
    ]


def test_files_are_sent_whatever_they_are(
    command: CommandLine, storage: Storage, tmp_path: Path
) -> None:
    made(tmp_path, "notes.txt", ".hidden.jpg", "deep/picture", "folder/a.jpg")
    names = ("notes.txt", ".hidden.jpg", "deep/picture", "folder")
    assert command("drop", *(tmp_path / name for name in names)).exit_code == 0
    assert set(etags(storage)) == {"notes.txt", ".hidden.jpg", "picture", "a.jpg"}


def test_a_blob_gets_its_media_type(command: CommandLine, storage: Storage, tmp_path: Path) -> None:
    made(tmp_path, "a.jpg", "b.unheard-of")
    command("drop", tmp_path / "a.jpg", tmp_path / "b.unheard-of")
    with ContainerClient.from_connection_string(storage.connection, storage.name) as container:
        types = {blob.name: blob.content_settings.content_type for blob in container.list_blobs()}
    assert types == {"a.jpg": "image/jpeg", "b.unheard-of": "application/octet-stream"}


def test_odd_names_arrive_as_they_are(
    command: CommandLine, storage: Storage, tmp_path: Path
) -> None:
    made(tmp_path, *ODD)
    result = command("drop", *(tmp_path / name for name in ODD))
    assert result.exit_code == 0
    assert {f"sent    {shown(name)}" for name in ODD} < set(result.stdout.splitlines())
    assert set(etags(storage)) == set(ODD)
    for name in ODD:
        assert storage.images.read(storage.images.describe(name)) == name.encode()


def test_a_backslash_becomes_a_slash(
    command: CommandLine, storage: Storage, tmp_path: Path
) -> None:
    made(tmp_path, "back\\slash.jpg")
    assert "sent    x/back/slash.jpg" in command("drop", tmp_path, "--prefix", "x\\").stdout
    assert set(etags(storage)) == {"x/back/slash.jpg"}


def test_the_same_content_is_not_sent_again(storage: Storage, tmp_path: Path) -> None:
    items = find_items([made(tmp_path, "a.jpg", "b.jpg")], "", JPG)
    assert storage.images.is_there()
    images, sent = storage.recorded_images()
    assert [done.outcome for done in drop(images, items)] == ["sent", "sent"]
    assert sent.count("PUT") == 2
    before = etags(storage)
    assert [done.outcome for done in drop(images, items)] == ["there", "there"]
    assert sent.count("PUT") == 2
    (tmp_path / "b.jpg").write_bytes(b"other")
    assert {done.item.path: done.outcome for done in drop(images, items)} == {
        "a.jpg": "there",
        "b.jpg": "sent",
    }
    assert sent.count("PUT") == 3
    assert etags(storage)["a.jpg"] == before["a.jpg"]
    assert storage.images.read(storage.images.describe("b.jpg")) == b"other"


def test_what_somebody_changes_meanwhile_is_not_overwritten(
    storage: Storage, tmp_path: Path
) -> None:
    """It is there, or not there, when `drop` looks, and another one when `drop` writes."""
    [item] = find_items([made(tmp_path, "a.jpg")], "", JPG)
    assert storage.images.is_there()
    for other in (b"other", b"another"):
        between = InterceptedOnce(
            storage.images, "write", lambda other=other: storage.upload("a.jpg", other)
        )
        [done] = drop(between, [item])
        assert (done.outcome, done.problem) == ("failed", OVERTAKEN)
        assert storage.images.read(storage.images.describe("a.jpg")) == other
    # As where storage has stored it, and the answer to that was lost.
    between = InterceptedOnce(storage.images, "write", lambda: storage.upload("a.jpg", b"a.jpg"))
    assert [done.outcome for done in drop(between, [item])] == ["sent"]


def test_an_interrupted_drop_goes_on_where_it_was(
    command: CommandLine, storage: Storage, tmp_path: Path
) -> None:
    count = 400
    made(tmp_path, *(f"{number:03}.jpg" for number in range(count)))
    with command.process("drop", tmp_path) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("sent ")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=HUNG_SECONDS)
    assert (process.returncode, errors) == (130, "")
    before = etags(storage)
    assert 0 < len(before) < count
    result = command("drop", tmp_path)
    assert f"{count - len(before)} sent, {len(before)} already there, 0 failed" in result.stdout
    after = etags(storage)
    assert len(after) == count
    assert before.items() <= after.items()


def test_what_fails_is_reported_and_the_others_go_on(
    command: CommandLine, storage: Storage, tmp_path: Path
) -> None:
    made(tmp_path, "a.jpg", "locked.jpg", "unreadable.jpg", "z.jpg")
    deny(tmp_path / "unreadable.jpg")
    storage.upload("locked.jpg", b"before")
    with ContainerClient.from_connection_string(storage.connection, storage.name) as container:
        lease = container.get_blob_client("locked.jpg").acquire_lease()
        result = command("drop", tmp_path)
        lease.release()
    assert result.exit_code == 1
    assert "2 sent, 0 already there, 2 failed" in result.stdout
    assert re.search(r"^failed  unreadable.jpg: cannot be read: \w+", result.stdout, re.MULTILINE)
    assert re.search(
        r"^failed  locked.jpg: cannot be uploaded: .*end the lease", result.stdout, re.MULTILINE
    )
    assert set(etags(storage)) == {"a.jpg", "locked.jpg", "z.jpg"}


def deny(file: Path) -> None:
    """Makes reading fail, even for root."""
    if os.geteuid():
        file.chmod(0)
    else:
        file.unlink()
        file.symlink_to("/proc/self/mem")


@pytest.mark.parametrize(
    ("name", "prefix", "message"),
    [
        ("a.jpg", "../", "'../a.jpg' has a segment . or .."),
        ("a.jpg", "x/./", "'x/./a.jpg' has a segment . or .."),
        ("a.jpg", "..\\", "'../a.jpg' has a segment . or .."),
        ("bell\a.jpg", "", r"'bell\x07.jpg' has control characters"),
        ("line\nbreak.jpg", "", r"'line\nbreak.jpg' has control characters"),
        (os.fsdecode(b"latin-\xe9.jpg"), "", r"'latin-\udce9.jpg' has control characters or a"),
        ("a.jpg", "2026./", "'2026./a.jpg' has a part that ends with a dot, which storage drops"),
        ("end.jpg", "🏖" * 509, "end.jpg' is longer than the 1,024 characters"),
    ],
)
def test_a_name_no_blob_can_have_is_refused_before_anything_is_sent(
    name: str, prefix: str, message: str, command: CommandLine, storage: Storage, tmp_path: Path
) -> None:
    made(tmp_path, name, "good.jpg")
    result = command("drop", tmp_path, "--prefix", prefix)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert etags(storage) == {}


def test_all_bad_names_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadName) as caught:
        find_items([made(tmp_path, "a\1.jpg", "good.jpg", "b\2.jpg")], "", JPG)
    assert r"'a\x01.jpg'" in caught.value.message
    assert r"'b\x02.jpg'" in caught.value.message
    assert "good" not in caught.value.message


def test_the_longest_name_is_1024_utf_16_units(storage: Storage, tmp_path: Path) -> None:
    folder = made(tmp_path, "a.jpg")
    prefix = "🏖" * 508 + "xx/"
    (item,) = find_items([folder], prefix, JPG)
    assert len(item.path.encode("utf-16-le")) == 2 * 1_024
    assert [done.outcome for done in drop(storage.images, [item])] == ["sent"]
    assert set(etags(storage)) == {item.path}
    with pytest.raises(BadName):
        find_items([folder], prefix + "/", JPG)


def test_two_files_for_one_path_are_refused(command: CommandLine, tmp_path: Path) -> None:
    made(tmp_path, "one/a.jpg", "two/a.jpg")
    result = command("drop", tmp_path / "one", tmp_path / "two")
    assert result.exit_code == 2
    for what in ("'a.jpg'", "one/a.jpg", "two/a.jpg", "--prefix"):
        assert what in result.stderr


def test_a_file_named_twice_is_sent_once(tmp_path: Path) -> None:
    made(tmp_path, "a.jpg")
    assert len(find_items([tmp_path, tmp_path / "a.jpg"], "", JPG)) == 1


def test_a_missing_path_is_named(command: CommandLine, storage: Storage, tmp_path: Path) -> None:
    made(tmp_path, "a.jpg")
    result = command("drop", tmp_path, tmp_path / "mis\x1bsing")
    assert (result.exit_code, result.stdout) == (2, "")
    assert r"mis\x1bsing" in result.stderr
    assert etags(storage) == {}


def test_what_gets_no_record_is_skipped_and_said(
    command: CommandLine, storage: Storage, tmp_path: Path
) -> None:
    command.settings["IGNORE_FILES"] = "*.txt"
    made(tmp_path, "notes.TXT", ".DS_Store", "a.jpg")
    result = command("drop", *(tmp_path / name for name in ("notes.TXT", ".DS_Store", "a.jpg")))
    assert result.exit_code == 0
    assert "skipped notes.TXT: files named *.txt get no caption" in result.stdout
    assert "skipped .DS_Store: files named .DS_Store get no caption" in result.stdout
    assert set(etags(storage)) == {"a.jpg"}
