"""``--arranger``: the score it writes, what it takes, and what it says to the rest."""

from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from engine.arranging.arranger import Arranger
from engine.errors import ModelError
from livecover import examples
from livecover.cli import main
from offline_train.corpora.midi import read_notes


def test_the_bundled_song_becomes_a_score_for_two_hands(tmp_path: Path) -> None:
    pytest.importorskip("music21")
    score, midi = tmp_path / "song.musicxml", tmp_path / "song.mid"
    command = [
        "--arranger",
        "--input",
        str(examples.path()),
        "--midi-out",
        str(midi),
        "--midi-out",
        str(score),
    ]
    assert main(command) == 0
    tracks = mido.MidiFile(midi).tracks
    assert [track.name for track in tracks] == ["livecover", "right hand", "left hand"]
    (key,) = [m.key for m in tracks[0] if m.type == "key_signature"]
    assert key == "F"
    right, left = (read_notes(midi)[name] for name in ("right hand", "left hand"))
    assert len(right) > 40 and len(left) > 60
    assert np.median([note.pitch for note in left]) < np.median([note.pitch for note in right])
    assert score.read_text().count("<measure ") >= 24


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input", "mic"], "--arranger takes a whole song: give --input FILE, not 'mic'"),
        (["--midi-out", "LiveCover"], "--arranger writes files: give --midi-out FILE.mid or"),
        (["--arranger-model", "nobody"], "no arranger 'nobody': expected a folder with"),
    ],
)
def test_what_does_not_fit_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    song = tmp_path / "song.wav"
    soundfile.write(song, np.zeros(16000, np.float32), 16000)
    first = ["--input", str(song), "--midi-out", str(tmp_path / "song.mid")]
    given = arguments if arguments[0] == "--midi-out" else [*first[2:], *arguments]
    command = ["--arranger", *given] if "--input" in given else ["--arranger", *first[:2], *given]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_a_folder_of_the_same_name_is_not_the_arranger_that_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("arranger").mkdir()
    Arranger("arranger")
    with pytest.raises(ModelError, match="no model file"):
        Arranger("./arranger")
