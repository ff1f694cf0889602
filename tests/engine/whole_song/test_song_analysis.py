"""What the shipped models hear in made-up rhythms: bars of three and four; nothing in nothing."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from engine.whole_song.arranger import Arranger
from engine.whole_song.frame_rows import FrameRows
from engine.whole_song.song_analysis import analyze, find_beats
from engine.whole_song.song_analyzer import SAMPLE_RATE, SongAnalyzer, sound_blocks
from livecover import examples

BEAT_S, FIRST_S = 0.5, 0.3
CHORD_S = 2.0  # after which 1e-5 of it is left
ROOTS = (45, 50, 52, 45, 43, 48, 40, 45)


@pytest.fixture(scope="module")
def analyzer() -> SongAnalyzer:
    return SongAnalyzer()


def rhythm(beats_per_bar: int, n_bars: int = 12) -> NDArray[np.float32]:
    """A chord on each beat, a bass on the bar's first; harmony changes with the bar."""
    n = round((FIRST_S + BEAT_S * (beats_per_bar * n_bars + 1)) * SAMPLE_RATE)
    since, sound = np.arange(round(CHORD_S * SAMPLE_RATE)) / SAMPLE_RATE, np.zeros(n)
    decay = np.exp(-6 * since)
    for beat in range(beats_per_bar * n_bars):
        root = ROOTS[beat // beats_per_bar % len(ROOTS)]
        pitches = [root + 12, root + 16, root + 19] + [root] * (beat % beats_per_bar == 0)
        start = round((FIRST_S + BEAT_S * beat) * SAMPLE_RATE)
        left = slice(0, n - start)
        for pitch in pitches:
            f0_hz = 440 * 2 ** ((pitch - 69) / 12)
            partials = [np.sin(2 * np.pi * f0_hz * h * since) / h for h in (1, 2, 3, 4)]
            sound[start : start + len(since)] += (0.1 * sum(partials) * decay)[left]
    return sound.astype(np.float32)


@pytest.mark.parametrize("beats_per_bar", [3, 4])
def test_bars_of_three_and_four_are_heard(analyzer: SongAnalyzer, beats_per_bar: int) -> None:
    outputs = analyzer.run([rhythm(beats_per_bar)])
    beats = find_beats(outputs)
    assert beats.beats_per_bar == beats_per_bar
    assert beats.bpm == pytest.approx(60 / BEAT_S, rel=0.02)
    begins = beats.times[beats.first_downbeat :: beats_per_bar]
    bar = beats_per_bar * BEAT_S
    off = (begins - FIRST_S + bar / 2) % bar - bar / 2
    assert np.median(off) == pytest.approx(0, abs=0.05)
    analysis = analyze(outputs)
    assert len(analysis.chords) * 4 == len(analysis.sound)
    assert len(analysis.sound) == analysis.grid.n_units * 2 * analysis.grid.steps_per_bar


@pytest.mark.parametrize("size", [1000, 7777, 1 << 20])
def test_blocks_of_any_length_are_heard_alike(analyzer: SongAnalyzer, size: int) -> None:
    sound = rhythm(4, 2)
    whole = analyzer.run([sound])
    parts = analyzer.run(sound[k : k + size] for k in range(0, len(sound), size))
    assert [note.pitch for note in parts.melody] == [note.pitch for note in whole.melody]
    assert parts.n_notes == whole.n_notes
    assert parts.onset_strength == pytest.approx(whole.onset_strength, abs=1e-4)
    assert parts.seconds == whole.seconds


@pytest.mark.parametrize("gain", [1.0, 0.003])
def test_an_offset_leaves_the_arrangement_as_it_is(
    analyzer: SongAnalyzer, tmp_path: Path, gain: float
) -> None:
    song, rate = soundfile.read(examples.path(), frames=44100 * 10, dtype="float32")
    arranger, path, found = Arranger(), tmp_path / "song.wav", []
    for offset in (0.0, 0.3):
        soundfile.write(path, song * np.float32(gain) + np.float32(offset), rate, subtype="FLOAT")
        found.append(arranger.arrange(analyze(analyzer.run(sound_blocks(str(path))))).notes)
    assert len(found[0]) > 25
    notes, on_offset = ({(n.step, n.length, n.pitch) for n in notes} for notes in found)
    assert len(notes & on_offset) >= 0.97 * len(notes | on_offset)


def test_rows_are_kept_to_a_255th_and_reduced_as_they_were() -> None:
    rng = np.random.default_rng(1)
    rows = rng.random((3000, 5)).astype(np.float32)
    kept = FrameRows(5)
    for start in range(0, 3000, 700):
        kept.append(rows[start : start + 700])
    assert len(kept) == 3000
    assert kept.read(0, 3000) == pytest.approx(rows, abs=1 / 510 + 1e-6)
    assert kept.read(1000, 1100) == pytest.approx(rows[1000:1100], abs=1 / 510 + 1e-6)
    assert not kept.read(3000, 3010).any() and not kept.read(5000, 5001).any()
    bounds = np.array([-9, -3, 0, 4, 4, 1500, 2990, 3005, 3010])
    greatest, mean = kept.between(bounds, np.maximum), kept.between(bounds, np.add)
    assert not greatest[[0, 1, 7]].any()
    assert greatest[2] == pytest.approx(rows[0:4].max(0), abs=0.003)
    assert greatest[3] == pytest.approx(rows[4], abs=0.003)  # no frame of its own
    assert mean[5] == pytest.approx(rows[1500:2990].mean(0), abs=0.003)
    assert greatest[6] == pytest.approx(rows[2990:].max(0), abs=0.003)


def test_what_is_no_number_is_nothing() -> None:
    kept = FrameRows(2)
    kept.append(np.array([[np.nan, 2.0], [-1.0, np.inf]], np.float32))
    assert kept.read(0, 2).tolist() == [[0, 1], [0, 1]]


def test_silence_is_no_music(analyzer: SongAnalyzer) -> None:
    assert not analyzer.run([np.zeros(SAMPLE_RATE, np.float32)]).is_music
    assert not analyzer.run([]).is_music
