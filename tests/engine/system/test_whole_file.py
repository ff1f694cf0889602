"""Files appear whole or not at all; links and what stands there are kept."""

import os
from pathlib import Path

import pytest

from engine.core.errors import DataError
from engine.system.whole_file import check_writable, written_whole


def test_a_file_takes_its_place_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "song.mid"
    path.write_bytes(b"before")
    with written_whole(path) as file:
        file.write(b"after")
        assert path.read_bytes() == b"before"
    assert path.read_bytes() == b"after" and os.listdir(tmp_path) == ["song.mid"]


def test_what_is_broken_off_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), written_whole(tmp_path / "song.mid") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert not os.listdir(tmp_path)


def test_a_link_stays_one(tmp_path: Path) -> None:
    link, target = tmp_path / "link.mid", tmp_path / "other" / "song.mid"
    target.parent.mkdir()
    link.symlink_to(target)
    check_writable(link)
    with written_whole(link) as file:
        file.write(b"new")
    assert link.is_symlink() and target.read_bytes() == b"new"


@pytest.mark.parametrize("length", [1, 255])
def test_any_name_that_fits_the_disk(tmp_path: Path, length: int) -> None:
    path = tmp_path / ("n" * length)
    check_writable(path)
    with written_whole(path) as file:
        file.write(b"x")
    assert path.read_bytes() == b"x"


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
    else:
        (tmp_path / "pipe").mkdir()
    for path, reason in (
        (tmp_path / "none" / "a.mid", "No such file or directory"),
        (tmp_path / "file" / "a.mid", "Not a directory"),
        (tmp_path, "it is a folder"),
        (tmp_path / "pipe", "it is a (device, not a file|folder)"),
    ):
        with pytest.raises(DataError, match=f"cannot be written .{reason}"):
            check_writable(path)
        with pytest.raises(DataError, match="cannot be written"), written_whole(path):
            pass
