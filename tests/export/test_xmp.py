"""Sidecars: exiftool reads what the record says; nobody else's file is touched."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from captioning.domain.record import CaptionRecord, CaptionText, Tag, record_id
from captioning.export.filenames import LONGEST, places
from captioning.export.xmp import FOREIGN, HEAD_BYTES, OUTSIDE, owner, sidecar, write_sidecars
from testing.factories.pictures import encoded, quadrants
from testing.factories.records import FULL, minutes, short
from testing.harness.command_line import CommandLine
from testing.harness.exiftool import exiftool, read
from testing.harness.storage import Storage

BEACH = replace(FULL, status="captioned", decorative=False)
DARKTABLE = '<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2"/>'


def written(folder: Path, *records: CaptionRecord, overwrite: bool = False) -> list[str]:
    """What became of each record."""
    return [done.outcome for done in write_sidecars(records, folder, overwrite=overwrite)]


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_exiftool_reads_what_the_record_says(
    command: CommandLine, storage: Storage, tmp_path: Path
) -> None:
    evil = "<b>&amp;</b> ]]> \"'"
    odd = short("b/ünï &<>.png", caption=evil, alt_text=evil, tags=(Tag(evil, 1.0), Tag("b", 1.0)))
    for record in (BEACH, odd, short("failed.jpg", status="failed"), short("new.jpg")):
        storage.catalog.save(record, None)
    result = command("export", "--format", "xmp", "--output", tmp_path, "--query", "caption")
    assert result.stdout == "1 written, 0 unchanged, 0 without text, 0 failed\n"
    result = command("export", "--format", "xmp", "--output", tmp_path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "2 written, 1 unchanged, 0 without text, 0 failed\n"
    [strange] = (tmp_path / "b").iterdir()
    full, other = read(tmp_path / "2026/beach day.jpg.xmp", strange)
    assert full == {
        "caption": {
            "": "A dog on a beach.",
            "en": "A dog on a beach.",
            "de": "Ein Hund am Strand.",
        },
        "alt": {"": "A dog.", "en": "A dog.", "de": "Ein Hund."},
        "description": {
            "": "A brown dog runs on a beach.",
            "en": "A brown dog runs on a beach.",
            "de": "Ein brauner Hund.",
        },
        "tags": ["dog", "Hündin 🐕"],
        "saved": "2026:11:22 10:00:01Z",
    }
    assert other["caption"] == other["alt"] == {"": evil}
    assert other["tags"] == [evil, "b"]


def test_a_decorative_picture_has_no_alt_text(tmp_path: Path) -> None:
    """IPTC has no word for decorative; an empty alt text would be taken for a missing one."""
    record = replace(BEACH, decorative=True, alt_text="", translations={})
    written(tmp_path, record)
    [found] = read(*tmp_path.rglob("*.xmp"))
    assert "alt" not in found
    assert found["caption"][""] == record.caption


def test_a_record_that_says_nothing_has_no_sidecar(tmp_path: Path) -> None:
    assert written(tmp_path, short("a.jpg", caption=None), short("b.jpg", status="failed")) == [
        "empty"
    ]
    assert files(tmp_path) == []


def test_what_xml_cannot_hold_is_left_out_and_all_else_stays(tmp_path: Path) -> None:
    text = "a\x00\x1b[31m\x85\ud800\ufffe b\u202ec\u200d\u2028"
    translations = {"ar": CaptionText("قطة", "")}
    written(tmp_path, short("a.jpg", caption=text, translations=translations))
    [found] = read(tmp_path / "a.jpg.xmp")
    assert found["caption"] == {"": "a[31m\x85 b\u202ec\u200d", "ar": "قطة"}


def test_the_files_are_put_into_pictures_as_documented(tmp_path: Path) -> None:
    (tmp_path / "2026").mkdir()
    picture = tmp_path / BEACH.path
    picture.write_bytes(encoded(quadrants(), "JPEG"))
    written(tmp_path, BEACH)
    arguments = "-r -ext jpg -overwrite_original -tagsFromFile %d%f.%e.xmp -all:all"
    assert "1 image files updated" in exiftool(*arguments.split(), tmp_path)
    inside, beside = read(picture, tmp_path / f"{BEACH.path}.xmp")
    assert inside == beside


def test_what_changed_is_written_again_and_nothing_else(tmp_path: Path) -> None:
    assert written(tmp_path, BEACH) == ["written"]
    place = tmp_path / "2026/beach day.jpg.xmp"
    os.utime(place, (1, 1))
    assert written(tmp_path, BEACH) == ["there"]
    assert place.stat().st_mtime == 1
    assert written(tmp_path, replace(BEACH, caption="A cat.")) == ["written"]
    assert b"A cat." in place.read_bytes()
    assert files(tmp_path) == ["2026/beach day.jpg.xmp"]


def test_a_file_that_another_program_wrote_stays(
    command: CommandLine, storage: Storage, tmp_path: Path
) -> None:
    storage.catalog.save(BEACH, None)
    storage.catalog.save(short("new.jpg", minutes(1)), None)
    place = tmp_path / "2026/beach day.jpg.xmp"
    place.parent.mkdir()
    place.write_text(DARKTABLE)
    result = command("export", "--format", "xmp", "--output", tmp_path)
    assert result.exit_code == 1
    assert result.stderr == f"2026/beach day.jpg: {FOREIGN}\n"
    assert place.read_text() == DARKTABLE
    assert (tmp_path / "new.jpg.xmp").exists()
    arguments = ("export", "--format", "xmp", "--output", tmp_path, "--overwrite")
    assert command(*arguments).exit_code == 0
    assert owner(place.read_bytes()) == BEACH.id


def test_a_sidecar_that_another_program_changed_is_its_own_from_then_on(tmp_path: Path) -> None:
    written(tmp_path, BEACH)
    [place] = tmp_path.rglob("*.xmp")
    exiftool("-overwrite_original", "-XMP-xmp:Rating=5", place)
    assert written(tmp_path, replace(BEACH, caption="Other.")) == ["failed"]
    assert b"Rating" in place.read_bytes()


def test_the_mark_is_in_the_head_and_cannot_be_forged() -> None:
    forged = f'<x:xmpmeta x:xmptk="captioning sha256:{"0" * 64}">'
    content = sidecar(short("a.jpg", caption=forged, tags=(Tag(forged, 1.0),)))
    assert content
    assert owner(content[:HEAD_BYTES]) == record_id("a.jpg")
    assert owner(content[content.index(b"<rdf:RDF") :]) is None


@pytest.mark.parametrize(
    "path",
    [
        "../up.jpg",
        "a/../../up.jpg",
        "/etc/passwd",
        "//server/share.jpg",
        "C:/windows.jpg",
        "a\\..\\..\\b.jpg",
        "a//b.jpg",
        "./a.jpg",
        "nul\x00.jpg",
        "line\nbreak.jpg",
        "con.jpg",
        "aux/lpt1",
        "COM¹ .jpg",
        "dots...",
        "space /x.jpg",
        " x.jpg",
        "a:stream.jpg",
        'qu"ote?*.jpg',
        "turned\u202egpj.exe",
        "half\ud800.jpg",
        "x" * 1_024,
        "ü" * 300 + "/" + "🐕" * 300,
        "",
        "/",
    ],
)
def test_a_path_that_file_systems_take_amiss_is_mapped_into_the_folder(
    path: str, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    assert written(folder, short(path)) == ["written"]
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]
    [name] = files(folder)
    assert name.endswith(f"~{record_id(path)[:12]}.xmp")
    assert name.isprintable()
    for part in name.split("/"):
        assert len(part.encode()) <= LONGEST + 20
        assert not set(part) & set('<>:"|?*\\')
        assert part.partition(".")[0].strip().lower() not in {"con", "aux", "lpt1", "com¹"}
        assert part == part.strip(" ").rstrip(".")


@pytest.mark.parametrize(
    "path", ["a.jpg", ".hidden/…what.jpg", "50% off, #1 ~ [x].jpg", "夏/犬.jpg"]
)
def test_any_other_path_is_kept(path: str) -> None:
    assert places(path, ".xmp")[0] == f"{path}.xmp"


def test_names_that_a_file_system_does_not_tell_apart_do_not_meet(tmp_path: Path) -> None:
    """As with `A.jpg` and `a.jpg` on macOS and Windows: the place holds the other's sidecar."""
    written(tmp_path, short("a.jpg"))
    (tmp_path / "a.jpg.xmp").rename(tmp_path / "A.jpg.xmp")
    for _ in range(2):
        written(tmp_path, short("A.jpg"))
    assert files(tmp_path) == ["A.jpg.xmp", f"A.jpg~{record_id('A.jpg')[:12]}.xmp"]
    assert b"Caption of a.jpg." in (tmp_path / "A.jpg.xmp").read_bytes()


def test_a_link_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    (folder / "a.jpg.xmp").symlink_to(outside / "a.jpg.xmp")
    done = list(write_sidecars([short("link/new/b.jpg"), short("a.jpg")], folder))
    assert [(each.outcome, each.problem) for each in done] == [("failed", OUTSIDE), ("written", "")]
    assert files(outside) == []


def test_a_name_that_is_taken_by_a_folder_or_file_fails_alone(tmp_path: Path) -> None:
    done = written(tmp_path, short("a.jpg"), short("a.jpg.xmp/b.jpg"), short("c.jpg"))
    assert done == ["written", "failed", "written"]


def test_a_crash_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, BEACH)
    before = (tmp_path / "2026/beach day.jpg.xmp").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        written(tmp_path, replace(BEACH, caption="Other."), short("next.jpg"))
    assert files(tmp_path) == ["2026/beach day.jpg.xmp"]
    assert (tmp_path / "2026/beach day.jpg.xmp").read_bytes() == before


@pytest.mark.parametrize("form", ["xmp", "html"])
def test_a_folder_has_to_be_named(command: CommandLine, form: str) -> None:
    result = command("export", "--format", form)
    assert result.exit_code == 2
    assert "must name a folder" in result.stderr
