"""The list of takes: what is there of each, and deleting one."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import DataError
from livecover.takes.files import TakeFiles
from livecover.takes.listing import delete_take, find_take, list_takes, reveal
from tests.messages import refused


def a_take(folder: Path, name: str, *endings: str, **about: Any) -> TakeFiles:
    files = TakeFiles(folder, name)
    facts = {"take": name, "seconds": 61.5, "n_notes": 7, "is_whole": True, **about}
    files.about.write_text(json.dumps(facts))
    for ending in endings:
        (folder / f"{name}{ending}").write_bytes(b"x")
    return files


def test_takes_are_listed_the_newest_first(tmp_path: Path) -> None:
    a_take(tmp_path, "2026-01-02 10-00-00 Take 1", ".mid", ".flac")
    a_take(tmp_path, "2026-01-03 10-00-00 Take 2", ".mid", " mix.flac", is_whole=False)
    (tmp_path / "notes.json").write_text('{"take": "another"}')
    (tmp_path / "broken.json").write_text("[[[")
    (tmp_path / "2026-01-04 10-00-00 Take 3.journal").touch()  # still being recorded
    newest, oldest = list_takes(tmp_path)
    assert [newest.name[-6:], oldest.name[-6:]] == ["Take 2", "Take 1"]
    assert (newest.seconds, newest.n_notes, newest.is_whole) == (61.5, 7, False)
    assert newest.file("mix") == newest.files.mix and newest.file("song") is None
    assert oldest.file("song") == oldest.files.song(1) and oldest.file("../x") is None
    assert list_takes(tmp_path / "nowhere") == []


def test_a_deleted_take_takes_all_its_files_and_no_others(tmp_path: Path) -> None:
    endings = (".mid", ".flac", " part 2.flac", " part 3.flac", " piano.flac", " mix.flac")
    a_take(tmp_path, "x Take 1", *endings, " quantized.mid")
    other = a_take(tmp_path, "x Take 1 too", ".mid")
    mine = tmp_path / "x Take 1 my own words.txt"
    mine.touch()
    delete_take(tmp_path, "x Take 1")
    assert sorted(tmp_path.iterdir()) == sorted([mine, other.about, other.midi])
    with refused(DataError, "there is no take x Take 1"):
        delete_take(tmp_path, "x Take 1")


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "", "x*"])
def test_only_what_is_listed_is_found(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "takes"
    folder.mkdir()
    a_take(tmp_path, "secret", ".mid")
    a_take(folder, "x Take 1", ".mid")
    with pytest.raises(DataError):
        find_take(folder, name)


def test_the_folder_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: called.append(command))
    for system, command in (("Linux", "xdg-open"), ("Darwin", "open"), ("Windows", "explorer")):
        reveal(tmp_path, system)
        assert called[-1] == [command, str(tmp_path)]
    with refused(DataError, "no folder", "record a take first"):
        reveal(tmp_path / "none")

    def fail(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No such file")

    monkeypatch.setattr(subprocess, "Popen", fail)
    with refused(DataError, "no file manager", str(tmp_path)):
        reveal(tmp_path, "Linux")
