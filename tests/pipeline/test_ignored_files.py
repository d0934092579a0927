"""What lies beside photos: no record and no request, whichever way it comes to the app."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from azure.storage.blob import ContainerClient

from captioning.config.settings import Settings
from captioning.domain.blobs import ignoring_pattern, is_folder_marker
from captioning.errors import UnsupportedFormat
from captioning.images.picture import inspect
from captioning.maintenance.reconcile import Reconciler
from captioning.records.layout import Layout
from testing.factories.records import short
from testing.factories.settings import EMBEDDED
from testing.harness.maintenance import MaintenanceLab
from testing.harness.pipeline import PipelineLab, on

DEFAULT = Settings.from_environ(EMBEDDED).ignore_files
SYSTEM = [".DS_Store", "a/.ds_store", "Thumbs.db", "b/THUMBS.DB", "desktop.ini", "a/._b.jpg"]
BESIDE = ["a.xmp", "2026/A.JPG.XMP", "clip.MOV", "notes.txt", "takeout/a.jpg.json", "all.zip"]


def marked(lab: PipelineLab, path: str, data: bytes, metadata: dict[str, str]) -> None:
    assert lab.storage.images
    with ContainerClient.from_connection_string(
        lab.storage.connection, lab.storage.name
    ) as container:
        container.upload_blob(path, io.BytesIO(data), metadata=metadata)


@pytest.mark.parametrize("path", [*SYSTEM, *BESIDE, "folder/"])
def test_no_record_from_an_event_a_round_or_a_poison_message(lab: PipelineLab, path: str) -> None:
    marked(lab, path, b"x", {})
    ignored_everywhere(lab, path)


@pytest.mark.parametrize("name", ["hdi_isfolder", "is_directory", "Hdi_IsFolder"])
def test_the_marker_of_a_folder_gets_no_record(lab: PipelineLab, name: str) -> None:
    marked(lab, "folder", b"", {name: "true"})
    assert lab.storage.images.describe("folder").is_folder
    ignored_everywhere(lab, "folder")


def ignored_everywhere(lab: PipelineLab, path: str) -> None:
    maintenance = MaintenanceLab(lab.storage)
    maintenance.pass_time(days=1)
    cleanup = maintenance.cleanup()
    cleanup._ignore = DEFAULT
    assert lab.pipeline(ignore=DEFAULT).process(on(path)) is None
    assert cleanup.poisoned(path) is None
    report = Reconciler(
        images=lab.storage.images,
        catalog=lab.storage.catalog,
        binding=Layout(lab.storage.table),
        queue=maintenance.messages,
        state=lab.storage.state,
        forget=cleanup.forget,
        forget_after=timedelta(hours=24),
        lease=timedelta(minutes=2),
        now=maintenance.now,
        ignore=DEFAULT,
    ).run()
    assert (report.blobs, report.queued) == (1, 0)
    assert lab.storage.catalog.get(path) is None
    assert lab.calls == (0, 0)


def test_system_files_are_ignored_whatever_the_setting_says() -> None:
    assert all(ignoring_pattern(path, ()) for path in SYSTEM)
    assert not any(ignoring_pattern(path, ()) for path in BESIDE)
    photos = ["a.jpg", "a.txt/b.jpg", "my.DS_Store.jpg", "desktop.ini.png", "a._b.jpg", "x"]
    assert not any(ignoring_pattern(path, DEFAULT) for path in photos)


def test_a_photo_with_the_metadata_of_a_folder_is_a_photo() -> None:
    assert not is_folder_marker(1, {"hdi_isfolder": "true"})
    assert not is_folder_marker(0, {"hdi_isfolder": "false"})


def test_a_file_that_has_a_record_keeps_it(lab: PipelineLab) -> None:
    lab.storage.upload("notes.txt", b"Dear diary.")
    lab.storage.catalog.save(short("notes.txt"), None)
    made = lab.pipeline(ignore=DEFAULT).process(on("notes.txt"))
    assert made
    assert made.status == "rejected"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"PK\3\4rest", "an archive"),
        (b"Rar!\x1a\7\0", "an archive"),
        (b"7z\xbc\xaf\x27\x1c", "an archive"),
        (b"\x1f\x8b\x08\0\0", "an archive"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "a video"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0", "a video"),
        (b"\x1aE\xdf\xa3\0\0", "a video"),
        (b"RIFF\0\0\0\0AVI LIST", "a video"),
        (b"%PDF-1.7", "a PDF"),
        (b"Dear diary.", "text"),
        (b"\0\0\0\x18ftypcrx \0\0\0\0", r"a camera's raw file \(CR3\) without a preview"),
    ],
)
def test_what_is_rejected_is_called_by_its_kind(data: bytes, kind: str) -> None:
    with pytest.raises(UnsupportedFormat, match=f"content is {kind}, not an image"):
        inspect(data)
