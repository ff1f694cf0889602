"""``--arranger``: the score it writes, what it takes, and what it says to the rest."""

import signal
from itertools import accumulate
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from engine.core.errors import ModelError
from engine.whole_song.arranger import Arranger
from engine.whole_song.song_analyzer import SongAnalyzer
from livecover import examples
from livecover.cli import main
from livecover.commands import arranger


def pitches(track: mido.MidiTrack) -> list[int]:
    return [m.note for m in track if m.type == "note_on" and m.velocity]


def test_the_bundled_song_becomes_a_score_for_two_hands(tmp_path: Path) -> None:
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
    right, left = (pitches(track) for track in tracks[1:])
    assert len(right) > 40 and len(left) > 60
    assert np.median(left) < np.median(right)
    assert score.read_text().count("<measure ") > 20


RATE = 16000


def noise(n: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, n)


@pytest.mark.parametrize(
    "sound",
    [np.zeros(20 * RATE), noise(20 * RATE), np.eye(1, 20 * RATE, 9 * RATE)[0], np.zeros(160)],
    ids=["silence", "noise", "a click", "10 ms"],
)
def test_nothing_is_made_of_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], sound: np.ndarray
) -> None:
    source, midi, score = (tmp_path / f"it.{kind}" for kind in ("wav", "mid", "musicxml"))
    soundfile.write(source, sound.astype(np.float32), RATE, subtype="FLOAT")
    outputs = ["--midi-out", str(midi), "--midi-out", str(score)]
    assert main(["--arranger", "--input", str(source), *outputs]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("nothing to arrange: no music was found in")
    assert said.err.count("\n") == 1
    assert not any(m.type == "note_on" for m in mido.MidiFile(midi))
    assert "<rest" in score.read_text() and "<pitch" not in score.read_text()


def test_before_and_after_the_music_nothing_is_played(tmp_path: Path) -> None:
    music, rate = soundfile.read(examples.path(), frames=44100 * 20, always_2d=True)
    silence = np.zeros((9 * rate, music.shape[1]))
    song, midi = tmp_path / "late.wav", tmp_path / "late.mid"
    soundfile.write(song, np.concatenate([silence, music, silence]), rate)
    assert main(["--arranger", "--input", str(song), "--midi-out", str(midi)]) == 0
    messages = list(mido.MidiFile(midi))  # each with the seconds since the one before
    onsets = [
        time
        for time, message in zip(accumulate(m.time for m in messages), messages, strict=True)
        if message.type == "note_on" and message.velocity
    ]
    assert 8.9 < min(onsets) < 9.1
    assert max(onsets) < 32


@pytest.mark.parametrize("name", ["none/song.mid", "folder.mid", "song.mid/song.musicxml"])
def test_outputs_are_looked_at_first(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setattr(arranger, "SongAnalyzer", lambda **_: pytest.fail("it began to work"))
    (tmp_path / "folder.mid").mkdir()
    (tmp_path / "song.mid").touch()
    song = ["--arranger", "--input", str(examples.path()), "--midi-out", str(tmp_path / name)]
    assert main(song) == 2
    said = capsys.readouterr().err
    assert "cannot be written" in said and said.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.mid", "song.mid"]


@pytest.mark.parametrize(
    "number", [getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)]
)
def test_the_first_signal_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    def interrupt(*_: object) -> None:
        signal.raise_signal(number)
        pytest.fail("it went on")

    monkeypatch.setattr(SongAnalyzer, "run", interrupt)
    midi = tmp_path / "song.mid"
    midi.write_bytes(b"as it was")
    command = ["--arranger", "--input", str(examples.path()), "--midi-out", str(midi)]
    assert main(command) == 130
    assert midi.read_bytes() == b"as it was" and len(list(tmp_path.iterdir())) == 1


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


@pytest.mark.parametrize(("metre", "beats"), [("3/4", 3), ("4/4", 4), ("auto", 4)])
def test_bars_are_as_told_or_as_heard(tmp_path: Path, metre: str, beats: int) -> None:
    midi, score, song = (tmp_path / f"song.{kind}" for kind in ("mid", "musicxml", "wav"))
    music, rate = soundfile.read(examples.path(), frames=44100 * 15)
    soundfile.write(song, music, rate)
    outputs = ["--midi-out", str(midi), "--midi-out", str(score), "--metre", metre]
    assert main(["--arranger", "--input", str(song), *outputs]) == 0
    metres = [m.numerator for m in mido.MidiFile(midi).tracks[0] if m.type == "time_signature"]
    assert metres[-1] == beats
    assert f"<beats>{beats}</beats>" in score.read_text()


def test_a_metre_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--arranger", "--input", str(examples.path()), "--metre", "5/4"]) == 2
    assert "beat.metre must be one of auto, 3/4, 4/4, not '5/4'" in capsys.readouterr().err
