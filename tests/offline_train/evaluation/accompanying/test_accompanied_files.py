from pathlib import Path

import numpy as np
import pytest

from offline_train.data.accompaniment.songs import prepare_songs, step_times
from offline_train.evaluation.accompanying import accompanied_files
from offline_train.evaluation.accompanying.accompanied_files import (
    play,
    score_file,
    score_files,
    table,
)
from offline_train.evaluation.hearing.step_posteriors import Sound
from tests.offline_train.fixtures import write_data


def test_notes_are_measured_against_the_songs_own_grid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (song,) = prepare_songs(write_data(tmp_path / "data", 1), "test", tmp_path / "songs")
    beats = song.times[::4]
    sound = Sound(song.song_id, song.song_id, np.zeros(16000, np.float32), beats, 0.0)
    steps = np.arange(4, 24, 2)
    tone = [next(k for k in range(12) if song.tones[step] >> k & 1) for step in steps]
    times = step_times(beats)[steps] + np.where(np.arange(10) < 5, 0.01, -0.01)
    rest = np.full(10, 80.0), np.zeros(10)
    notes = np.stack([times, times + 0.1, 60 + np.array(tone), *rest], 1).astype(np.float32)
    score = score_file(song, sound, notes)
    assert score is not None
    assert score.enters_s == pytest.approx(times[0])
    assert score.distance_ms == pytest.approx(10.0, abs=0.01)
    assert score.on_half_beats == 1.0
    assert score.chord_tones == 1.0
    assert 0.5 < score.pulse < 2.0
    human = song.piano[song.piano[:, 0] >= 4]
    as_human = song.times[human[:, 0]]
    same = np.stack([as_human, as_human + 0.1, human[:, 2], human[:, 3], human[:, 4]], 1)
    played = score_file(song, sound, same[np.argsort(as_human, kind="stable")].astype(np.float32))
    assert played is not None and played.pulse == pytest.approx(1.0)
    assert score_file(song, sound, notes[:0]) is None
    monkeypatch.setattr(accompanied_files, "play", lambda sound: notes)
    assert score_files([song], [sound]) == [score]
    assert "onsets off the true sixteenths, ms, median" in table([score])


def test_silence_gets_no_notes() -> None:
    sound = Sound("x", "x", np.zeros(32000, np.float32), np.array([0.0, 0.5]), 0.0)
    assert play(sound).shape == (0, 5)
