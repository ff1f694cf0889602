"""A song on standard input."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.audio.files.standard_input import keep, song_on_standard_input
from engine.audio.opening import is_file_input, open_source, path_of_input
from engine.core.errors import DeviceError
from engine.core.settings import AudioSettings
from tests.engine.audio.files.sounds import written
from tests.messages import refused


class Piped:
    """Standard input that is a pipe, or a terminal."""

    def __init__(self, data: bytes, is_terminal: bool = False) -> None:
        self.buffer = io.BytesIO(data)
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.fixture(autouse=True)
def unread() -> Iterator[None]:
    song_on_standard_input.cache_clear()
    yield
    song_on_standard_input.cache_clear()


def test_a_song_comes_on_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = written(tmp_path / "a.flac", 4000).read_bytes()
    monkeypatch.setattr(sys, "stdin", Piped(data))
    assert is_file_input("-")
    for _ in range(2):  # it can be read again
        source = open_source("-", AudioSettings(), paced=False)
        assert source.name == "standard-input" and source.n_channels == 2
    assert path_of_input("-").read_bytes() == data


def test_a_terminal_or_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (Piped(b"", is_terminal=True), None):
        monkeypatch.setattr(sys, "stdin", stream)
        with refused(DeviceError, "standard input", "cat song.mp3 |"):
            song_on_standard_input()
    monkeypatch.setattr(sys, "stdin", Piped(b""))
    with refused(DeviceError, "nothing came on standard input", "cat song.mp3 |"):
        song_on_standard_input()


def test_a_disk_that_is_full_is_told(tmp_path: Path) -> None:
    class Full(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(28, "No space left on device")

    with refused(DeviceError, "standard input cannot be kept", "No space left"):
        keep(Full(), tmp_path / "song")
    assert not list(tmp_path.iterdir())
