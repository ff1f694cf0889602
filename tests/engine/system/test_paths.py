"""Paths as people give them: homes, locked folders, long names, names that are no text."""

import os
from pathlib import Path

import platformdirs
import pytest

from engine.audio.opening import open_source
from engine.core.errors import ConfigError, LiveCoverError, ModelError
from engine.core.settings import AudioSettings
from engine.model.model_files import model_path
from engine.system.paths import (
    cache_folder,
    did_you_mean,
    exists,
    file_fault,
    given_path,
    is_file,
    is_folder,
    shown,
    user_folder,
)
from tests.messages import refused

LONG = "Beethoven " * 40


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> str:
    """A path in a folder that may not be entered, for whoever runs the tests."""
    real = os.stat

    def stat(path: str, *rest: object, **more: object) -> os.stat_result:
        if "locked" in os.fspath(path):
            raise PermissionError(13, "Permission denied", path)
        return real(path, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", stat)
    return "locked/song.wav"


def test_a_tilde_is_the_home_folder(home: Path) -> None:
    assert given_path("~") == home
    assert given_path("~/take.mid") == home / "take.mid"
    assert given_path(Path("~/take.mid")) == home / "take.mid"


def test_a_tilde_of_nobody_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    with refused(ConfigError, "home folder", "~nobody9"):
        given_path("~nobody9/take.mid")
    assert given_path("~draft.mid") == Path("~draft.mid")  # an editor's copy
    (home / "~nobody9").mkdir()
    assert given_path("~nobody9/take.mid") == Path("~nobody9/take.mid")


def test_no_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    with pytest.raises(ConfigError, match="give the path in full"):
        given_path("~/take.mid")


def test_a_nul_is_told() -> None:
    with pytest.raises(ConfigError, match="NUL"):
        given_path("a\0b")


@pytest.mark.parametrize("path", [LONG, "a\0b", "nowhere"])
def test_questions_never_raise(path: str) -> None:
    assert not exists(path)
    assert not is_file(path)
    assert not is_folder(path)
    assert file_fault(path)


def test_a_locked_folder_is_no_missing_file(locked: str) -> None:
    assert file_fault(locked) == "Permission denied"
    assert not is_file(locked)


@pytest.mark.parametrize("find", [Path, lambda: Path("~/.config")])
def test_without_a_home_there_is_no_folder_of_the_user(find: object) -> None:
    assert user_folder(find) is None  # type: ignore[arg-type]


def test_a_home_that_cannot_be_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(*_: object, **__: object) -> Path:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr(platformdirs, "user_cache_path", find)
    assert user_folder(find) is None
    with pytest.raises(ConfigError, match="set HOME"):
        cache_folder()


def test_a_name_that_is_no_text_is_shown() -> None:
    assert shown(os.fsdecode(b"caf\xe9.wav")) == "caf\\xe9.wav"
    assert shown(Path("café.wav")) == "café.wav"


def test_what_a_terminal_obeys_is_shown_and_not_done() -> None:
    assert shown("\x1b]0;mine\x07\r\x9b2J.wav") == "\\x1b]0;mine\\x07\\x0d\\x9b2J.wav"
    assert shown("one\ttwo\nthree") == "one\ttwo\nthree"


@pytest.mark.parametrize("name", [LONG + ".wav", "./" + LONG, "~nobody9/a.wav", "./a\0b"])
def test_a_song_that_cannot_be_is_one_line(name: str) -> None:
    with pytest.raises(LiveCoverError):
        open_source(name, AudioSettings(), paced=False)


@pytest.mark.parametrize("name", [LONG + ".onnx", "~nobody9/m.onnx", "locked/m.onnx"])
def test_a_model_that_cannot_be_is_one_line(name: str, locked: str) -> None:
    with pytest.raises((ModelError, ConfigError)):
        model_path(name)


def test_the_nearest_name_is_told(tmp_path: Path) -> None:
    (tmp_path / "Autumn Leaves.mp3").touch()
    assert did_you_mean(tmp_path / "Autum leaves.mp3").endswith("Autumn Leaves.mp3?")
    assert did_you_mean(tmp_path / "song.wav") == ""
    (tmp_path / "link.wav").symlink_to("nowhere")
    assert did_you_mean(tmp_path / "link.wav") == ""
    assert did_you_mean(tmp_path / "none" / "song.wav") == ""
