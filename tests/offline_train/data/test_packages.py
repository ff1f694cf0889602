"""Packages: the music and the licence are kept, and what cannot be had is named."""

import dataclasses
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from engine.core.errors import DataError
from offline_train.corpora import debian
from offline_train.corpora.debian import unpack
from offline_train.data.packages import fetch
from offline_train.data.sources import Source

ALBUM = Source("album", "b-music", "CC-BY-3.0", "B", "train", ("music/*.ogg",))

needs_dpkg = pytest.mark.skipif(
    shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed"
)


@needs_dpkg
def test_fetch_keeps_the_music_and_the_licence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    package = tmp_path / "deb"
    control = "Package: b-music\nVersion: 1\nArchitecture: all\nMaintainer: b <b@b.b>\n"
    (package / "DEBIAN").mkdir(parents=True)
    (package / "DEBIAN/control").write_text(control + "Description: b\n")
    (package / "usr/share/doc/b-music").mkdir(parents=True)
    (package / "usr/share/doc/b-music/copyright").write_text("CC-BY-3.0")
    (package / "usr/share/picture.png").write_bytes(b"large")
    with zipfile.ZipFile(package / "music.pk3", "w") as archive:
        archive.writestr("music/one.ogg", b"a song")
    deb = tmp_path / "b.deb"
    command = ["dpkg-deb", "-Znone", "--root-owner-group", "-b", str(package), str(deb)]
    subprocess.run(command, check=True, capture_output=True)
    downloads: list[str] = []

    def download(name: str, where: Path) -> Path:
        downloads.append(name)
        return deb

    monkeypatch.setattr(debian, "_download", download)
    (kept,) = fetch(tmp_path / "new", (ALBUM,))
    files = {str(path.relative_to(kept)) for path in kept.rglob("*") if path.is_file()}
    assert files == {"music/one.ogg", "usr/share/doc/b-music/copyright"}
    assert fetch(tmp_path / "new", (ALBUM,)) == [kept] and downloads == ["b-music"]
    elsewhere = dataclasses.replace(ALBUM, package="c", patterns=("nothing/*.ogg",))
    with pytest.raises(DataError, match="found none"):
        fetch(tmp_path / "new", (elsewhere,))
    assert fetch(tmp_path / "new", (ALBUM, elsewhere)) == [kept]
    assert "left out c" in caplog.text


@needs_dpkg
def test_a_broken_package_says_so(tmp_path: Path) -> None:
    deb = tmp_path / "b.deb"
    deb.write_bytes(b"not a package")
    with pytest.raises(DataError, match="expected a Debian package"):
        unpack(deb, tmp_path / "root")


def test_without_apt_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(DataError, match="on a Debian or Ubuntu machine"):
        fetch(tmp_path, (ALBUM,))
