"""The benchmarks' own arithmetic, on tiny models; the figures themselves are no tests."""

from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from engine.core.errors import DataError, DeviceError, ModelError
from engine.core.notes import Posteriors
from livecover.bench import arranged, hum, metre, models, require_servers, robust
from livecover.bench import cli as bench


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """A second of noise at 8 kHz."""
    path = tmp_path / "noise.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(1).standard_normal(8000), 8000)
    return path


def posteriors(n: int) -> Posteriors:
    rows = [np.full((n, 88), value, np.float32) for value in (0.1, 0.2, 0.3)]
    return Posteriors(np.arange(n, dtype=np.int64), *rows)


def test_distance_is_the_largest_difference_of_any_output() -> None:
    one = posteriors(3)
    velocity = one.velocity.copy()
    velocity[2, 87] += 0.25
    assert models.distance(one, one) == 0.0
    assert models.distance(one, replace(one, velocity=velocity)) == pytest.approx(0.25)


def test_distance_refuses_other_frames() -> None:
    with pytest.raises(AssertionError):
        models.distance(posteriors(3), posteriors(4))


def test_samples_come_mono_at_the_models_rate(noise: Path) -> None:
    assert models.load_samples(noise, 4000).shape == (4000,)
    assert models.load_samples(noise, 4000, seconds=0.5).shape == (2000,)


def test_rtf_names_every_stage(noise: Path, tiny_stateful_path: Path) -> None:
    table = models.rtf(str(tiny_stateful_path), noise)
    assert "features to notes" in table and "samples to notes, free" in table
    assert len(table.splitlines()) == 7  # a tiny model hears no beat


def test_rtf_has_a_cover_on_the_beat(tmp_path: Path) -> None:
    sound = np.random.default_rng(1).standard_normal(16000)
    soundfile.write(tmp_path / "noise.wav", 0.1 * sound, 16000)
    assert "samples to notes, on the beat" in models.rtf("live", tmp_path / "noise.wav")


def test_streaming_compares_every_block_size(noise: Path, tiny_window_path: Path) -> None:
    table = models.streaming(str(tiny_window_path), noise, seconds=0.3)
    for block in ("| 1 ", "| 7 ", "| 256 ", "| 4096 ", "| whole "):
        assert block in table


def test_window_compares_live_and_file(tiny_window_path: Path) -> None:
    table = models.window(str(tiny_window_path), n_steps=2)
    assert "live, a step of 4 frames" in table and "a file, a step of 24" in table
    figures = [float(cell) for cell in table.splitlines()[2].split("|")[2:-1]]
    assert len(figures) == 3 and min(figures) > 0


def test_window_names_what_is_none(tiny_stateful_path: Path) -> None:
    with pytest.raises(ModelError, match="expected a model that hears later.*sketch-window"):
        models.window(str(tiny_stateful_path), n_steps=1)


def test_an_error_is_one_line_and_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "rtf", "--model", "no-such-model"])
    assert bench.main() == 2
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 1
    assert "no-such-model" in said.err


def test_hum_under_the_threshold_sleeps(tiny_stateful_path: Path) -> None:
    lines = hum.table(str(tiny_stateful_path), 2.0).splitlines()[2:]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    asleep = {(name, int(dbfs)): share for name, dbfs, _, share, _ in cells}
    assert asleep["hum of 50 Hz", -72] == "50%"  # after the second that the gate holds
    assert asleep["a fan (pink noise)", -50] == "0%"


def test_missing_servers_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="jackd.*scripts/install-system test"):
        require_servers()


def test_onsets_are_matched_once_by_pitch_and_time() -> None:
    expected = [(0.0, 60), (1.0, 60), (2.0, 62)]
    assert robust.onset_f1(expected, expected) == 1.0
    assert robust.onset_f1([(0.04, 60), (0.02, 60)], expected) == pytest.approx(2 / 5)
    assert robust.onset_f1([(0.0, 61), (1.06, 60), (2.0, 62)], expected) == pytest.approx(2 / 6)
    assert robust.onset_f1([], expected) == 0.0


def test_every_alteration_has_its_row(noise: Path, tiny_stateful_path: Path) -> None:
    lines = robust.table(str(tiny_stateful_path), noise).splitlines()
    assert lines[2].endswith("| 1.000 |")
    assert sum("cents" in line for line in lines) == len(robust.CENTS)


def test_a_human_cover_beside_the_song_is_compared_with(
    noise: Path, tiny_stateful_path: Path
) -> None:
    reference = mido.MidiFile()
    notes = [mido.Message("note_on", note=60, velocity=9, channel=c, time=960) for c in (0, 9)]
    reference.tracks.append(mido.MidiTrack(notes))
    reference.save(noise.with_suffix(".mid"))
    ((onset, pitch),) = robust.reference_onsets(noise.with_suffix(".mid"))
    assert onset == pytest.approx(1.0) and pitch == 60
    lines = robust.table(str(tiny_stateful_path), noise).splitlines()
    assert lines[0].endswith(f"| F1 to {noise.stem}.mid | change |")
    assert lines[2].endswith("| +0.000 |")
    assert {line.count("|") for line in lines} == {6}
    reference.tracks.clear()
    reference.tracks.append(mido.MidiTrack())
    reference.save(noise.with_suffix(".mid"))
    with pytest.raises(DataError, match="expected a human's cover, found no notes"):
        robust.table(str(tiny_stateful_path), noise)


def test_a_song_is_shifted_and_its_tune_found_again() -> None:
    sound = np.arange(3 * 16000, dtype=np.float32)
    late, early = arranged.shifted(sound, 0.5, 1.0), arranged.shifted(sound, -0.5, 1.0)
    assert len(late) == len(early) == 16000
    assert not late[:8000].any() and late[8001] == 1 and early[0] == 8000
    tune = np.array([[1.0, 60], [2.0, 62], [3.0, 64]])
    heard = tune + [[0.01, 0], [0.03, 0], [-0.02, 0]]
    assert arranged.distance(heard, tune) == pytest.approx(0.01)
    assert arranged.distance(heard + [1.0, 0], tune) == float("inf")


@pytest.mark.parametrize("name", metre.TUNES)
def test_the_tunes_fill_their_bars(name: str) -> None:
    tune = metre.TUNES[name]
    beats = sum(float(word.partition(":")[2]) for word in tune.notes.split())
    whole = len(tune.chords.split()) * tune.beats_per_bar
    assert whole - tune.beats_per_bar < beats - tune.upbeat <= whole
    midi, begin = metre.played(tune, 120.0, np.random.default_rng(1))
    assert midi.length > whole and 0 <= begin <= 2 + tune.beats_per_bar / 2
