"""A style by name, by number, from a file, as 24 numbers; what is wrong is said in one line."""

import dataclasses
from pathlib import Path

import mido
import numpy as np
import pytest

from engine.core.errors import ConfigError
from engine.cover.style import (
    EDGES,
    ONSET_RATE,
    PITCH,
    VELOCITY,
    expected_onset_rate,
    measure_style,
    read_style,
    style_pace,
    style_vector,
)
from tests.engine.fakes import SPEC
from tests.messages import refused

THREE = dataclasses.replace(
    SPEC, styles={"calm": [0.0] * 24, "balanced": [1.0] * 24, "intense": [3.0] * 24}
)


def rate_style(bin_index: int) -> list[float]:
    """A style whose every second has the onset rate of one bin."""
    return [0.0] * 16 + [float(k == bin_index) for k in range(8)]


def write_midi(path: Path, pitches: list[int], channel: int = 0, step: int = 240) -> Path:
    """One note an eighth at the default tempo (4 a second), velocity 100."""
    track = mido.MidiTrack()
    for pitch in pitches:
        on, off = (
            mido.Message(kind, note=pitch, velocity=100, channel=channel, time=time)
            for kind, time in (("note_on", 0), ("note_off", step))
        )
        track += [on, off]
    mido.MidiFile(tracks=[track]).save(path)
    return path


def test_a_preset_by_name() -> None:
    found = style_vector("intense", SPEC)
    assert found.dtype == np.float32
    assert found.tolist() == [1.0] * 24


def test_numbers_are_taken_as_they_are() -> None:
    assert style_vector([0.5] * 24, SPEC).tolist() == [0.5] * 24


@pytest.mark.parametrize("style", [[], [0.5] * 23, [0.5] * 25, [[0.5] * 24], [float("nan")] * 24])
def test_other_numbers_are_refused(style: list[float]) -> None:
    with refused(ConfigError, "0", "1", "24", "finite"):
        style_vector(style, SPEC)


def test_an_unknown_preset_names_the_nearest_and_all() -> None:
    with refused(ConfigError, "'intens'", "balanced, intense", "did you mean", "intense"):
        style_vector("intens", SPEC)


def test_a_model_without_presets_says_so() -> None:
    with refused(ConfigError, "'calm'", "none"):
        style_vector("calm", dataclasses.replace(SPEC, styles={}))


@pytest.mark.parametrize(
    ("intensity", "value"), [(0, 0.0), (0.25, 0.5), (0.5, 1.0), (0.75, 2.0), (1, 3.0), (1.0, 3.0)]
)
def test_a_number_lies_between_presets(intensity: float, value: float) -> None:
    found = style_vector(intensity, THREE)
    assert found.dtype == np.float32
    assert found.tolist() == [value] * 24


@pytest.mark.parametrize("intensity", [-0.1, 1.01, float("nan"), float("inf")])
def test_a_number_out_of_range_is_refused(intensity: float) -> None:
    with refused(ConfigError, "0", "calm", "1", "intense"):
        style_vector(intensity, THREE)


def test_nothing_to_go_between() -> None:
    with refused(ConfigError, "'calm'", "balanced, intense"):
        style_vector(0.5, SPEC)


def test_a_style_from_a_file(tmp_path: Path) -> None:
    path = write_midi(tmp_path / "take.mid", [60, 62] * 20)
    found = style_vector(f"from:{path}", SPEC)
    onsets = np.arange(40) * 0.25
    rows = [(t, t, p, 100) for t, p in zip(onsets, [60, 62] * 20, strict=True)]
    assert found.tolist() == measure_style(np.array(rows, np.float32)).tolist()
    assert expected_onset_rate(found) == pytest.approx(4.4, abs=0.1)  # the bin of 4 a second


def test_drums_and_keys_that_no_piano_has_are_left_out(tmp_path: Path) -> None:
    path = write_midi(tmp_path / "song.mid", [60] * 8)
    bare = read_style(path).tolist()
    midi = mido.MidiFile(path)
    midi.tracks += mido.MidiFile(write_midi(tmp_path / "drums.mid", [38] * 9, channel=9)).tracks
    midi.tracks += mido.MidiFile(write_midi(tmp_path / "low.mid", [5, 120])).tracks
    midi.save(path)
    assert read_style(path).tolist() == bare


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file; a style is read from:FILE.mid"),
        (b"", "expected a MIDI file, got an empty file; a style is read from"),
        (b"RIFF and so on, not MIDI at all", "expected a MIDI file, got a text"),
    ],
)
def test_a_broken_file_is_named_in_one_line(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "take.mid"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        style_vector(f"from:{path}", SPEC)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_midi_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a MIDI file .*directory"):
        read_style(tmp_path)


def test_a_file_of_hours_is_refused_before_it_costs_memory(tmp_path: Path) -> None:
    path = tmp_path / "take.mid"
    midi = mido.MidiFile(ticks_per_beat=1)
    later = mido.Message("note_on", note=60, velocity=80, time=2**27)
    midi.tracks.append(mido.MidiTrack([mido.Message("note_on", note=60, velocity=80), later]))
    midi.save(path)
    with pytest.raises(ConfigError, match="it lasts more than"):
        read_style(path)


def test_a_file_without_time_is_refused(tmp_path: Path) -> None:
    path = write_midi(tmp_path / "take.mid", [60] * 8)
    content = bytearray(path.read_bytes())
    content[12:14] = b"\0\0"  # ticks per beat
    path.write_bytes(content)
    with refused(ConfigError, "ticks"):
        read_style(path)


def test_a_file_cut_short_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = write_midi(tmp_path / "take.mid", [60] * 8)
    path.write_bytes(path.read_bytes()[:40])
    half = write_midi(tmp_path / "half.mid", [60] * 2)
    assert read_style(path).tolist() == read_style(half).tolist()


def test_a_file_without_notes_is_refused(tmp_path: Path) -> None:
    with refused(ConfigError, "expected", "notes", "none"):
        read_style(write_midi(tmp_path / "drums.mid", [38] * 8, channel=9))


def test_a_style_is_three_histograms() -> None:
    rng = np.random.default_rng(0)
    onsets = np.sort(rng.uniform(0, 30, 200))
    song = np.stack([onsets, onsets + 0.2, rng.integers(30, 90, 200), rng.integers(30, 110, 200)])
    style = measure_style(song.T.astype(np.float32))
    assert style.shape == (24,) and style.dtype == np.float32
    assert style.reshape(3, 8).sum(1) == pytest.approx([1, 1, 1], abs=1e-6)


def test_a_style_counted_by_hand() -> None:
    # Velocities: one at the mean plus a little, one three deviations above; pitch: all low.
    song = np.array(
        [
            (0.0, 0.1, PITCH[0] - 3 * PITCH[1], VELOCITY[0] + 1, 0),
            (0.1, 0.2, PITCH[0] - 3 * PITCH[1], VELOCITY[0] + 3 * VELOCITY[1], 0),
        ],
        np.float32,
    )
    velocity, pitch, rate = measure_style(song).reshape(3, 8)
    assert velocity.tolist() == [0, 0, 0, 0, 0.5, 0, 0, 0.5]
    assert pitch.tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert rate.tolist() == [0, 1, 0, 0, 0, 0, 0, 0]  # 2 a second: z = (2 - 7.6) / 3.175 = -1.76


def test_a_single_note_has_a_style() -> None:
    assert measure_style(np.array([(0, 1, 60, 80)], np.float32)).sum() == pytest.approx(3)


@pytest.mark.parametrize("rate", [3.0, 5.0, 8.0, 12.0])
def test_the_expected_rate_is_within_half_a_bin(rate: float) -> None:
    onsets = np.arange(0, 30, 1 / rate) + 1e-4
    notes = np.stack([onsets, onsets, onsets * 0 + 60, onsets * 0 + 80], 1).astype(np.float32)
    half_bin = ONSET_RATE[1] * (EDGES[1] - EDGES[0]) / 2
    assert expected_onset_rate(measure_style(notes)) == pytest.approx(rate, abs=half_bin + 0.1)


def test_pace_is_the_ratio_to_the_balanced_preset() -> None:
    spec = dataclasses.replace(SPEC, styles={"balanced": rate_style(3)})
    sparse, dense = (np.array(rate_style(k), np.float32) for k in (1, 6))
    assert style_pace(np.array(rate_style(3), np.float32), spec) == 1.0
    middles = [ONSET_RATE[0] + ONSET_RATE[1] * z for z in (-5 / 3, -1 / 3, 5 / 3)]
    assert style_pace(sparse, spec) == pytest.approx(middles[0] / middles[1])
    assert style_pace(dense, spec) == pytest.approx(middles[2] / middles[1])
    assert style_pace(np.full(24, 1e3, np.float32), spec) == 4.0


def test_pace_is_1_where_there_is_nothing_to_compare() -> None:
    dense = np.array(rate_style(6), np.float32)
    assert style_pace(dense, dataclasses.replace(SPEC, styles={})) == 1.0
    assert style_pace(dense, SPEC) == 1.0  # its balanced preset is all zeros
