"""Names of files that are no text in UTF-8, from the song to the take."""

import os
import shutil
from pathlib import Path

import mido
import numpy as np
import platformdirs
import pytest
import soundfile
from numpy.typing import NDArray

from engine.core.notes import NoteEvent
from livecover.cli import main
from livecover.takes.ending import end_take
from livecover.takes.files import TakeFiles
from livecover.takes.journal import Journal
from tests.tiny import TINY_FEATURES

CAFE = os.fsdecode(b"caf\xe9")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder on a disk that takes such names, and no settings of the user's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(platformdirs, "user_config_path", lambda *a, **k: tmp_path / "none")
    try:
        Path(CAFE).touch()
    except (OSError, ValueError):
        pytest.skip("this disk takes names in UTF-8 only")
    return tmp_path


def test_song_model_and_cover(
    tiny_song: NDArray[np.float32],
    tiny_stateful_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rate = TINY_FEATURES.sample_rate * 2
    soundfile.write("song.wav", np.repeat(tiny_song, 2), rate)
    os.rename("song.wav", f"{CAFE}.wav")
    shutil.copytree(tiny_stateful_path.parent, CAFE + "s")
    model = str(Path(CAFE + "s", tiny_stateful_path.name))
    assert main(["--input", f"{CAFE}.wav", "--midi-out", f"{CAFE}.mid", "--model", model]) == 0
    assert mido.MidiFile(f"{CAFE}.mid").tracks
    assert "of caf\\xe9.wav in caf\\xe9.mid" in capsys.readouterr().out


def test_a_missing_song(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--input", f"x{CAFE}.wav", "--midi-out", "a.mid"]) == 2
    assert "no such file: xcaf\\xe9.wav" in capsys.readouterr().err


def test_a_take_of_it(folder: Path) -> None:
    take = TakeFiles(folder, CAFE)
    journal = Journal(take.journal, {"source": f"{CAFE}.wav"})
    journal.event(NoteEvent(0.5, 60, 80), 0.5)
    journal.song(f"{CAFE}.flac")
    journal.close()
    contents = end_take(take)
    assert contents.songs == [f"{CAFE}.flac"]
    assert "caf\\udce9.wav" in take.about.read_text(encoding="utf-8")
    assert take.midi.exists()
