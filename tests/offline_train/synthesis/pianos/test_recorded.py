"""The recorded pianos of training, on small samples made here: names, pitch, touch, fetching."""

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from engine.core.errors import DataError
from offline_train.corpora.notes import Note
from offline_train.synthesis.pianos.recorded import (
    LIBRARIES,
    Library,
    RecordedPiano,
    RecordedTones,
    ensure_library,
    recorded_piano,
    revoice,
)

RATE = 16_000
STEINWAY, YAMAHA, KAWAI = LIBRARIES
NAMES = {
    STEINWAY: {("pp", 23): "PP B-1", ("mp", 48): "Mp C2", ("mf", 60): "MF C3", ("ff", 69): "FF A3"},
    YAMAHA: {
        (layer, key): f"HEADROOM PIANO LEVEL{layer} {where} {key}"
        for layer in "12345"
        for where in ("CLOSE", "DECCA")
        for key in (48, 60)
    },
    KAWAI: {("l", 21): "A0vL", ("l", 51): "D#3vL", ("h", 60): "C4vH"},
}


def hz(pitch: int) -> float:
    return float(440.0 * 2.0 ** ((pitch - 69) / 12))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sines that start after 20 ms, each with an overtone as loud as its layer is high."""
    folder = tmp_path_factory.mktemp("pianos")
    time = np.arange(2 * RATE) / RATE
    for library, names in NAMES.items():
        samples = folder / library.name / library.samples
        samples.mkdir(parents=True)
        for (layer, key), name in names.items():
            bright = list(library.tops).index(layer) / len(library.tops)
            tone = np.sin(2 * np.pi * hz(key) * time)
            tone += bright * np.sin(4 * np.pi * hz(key) * time)
            tone = np.concatenate([np.zeros(RATE // 50), 0.2 * np.exp(-time) * tone])
            soundfile.write(samples / f"{name}.flac", np.stack([tone, tone], 1), RATE)
        (samples / "pedal.flac").write_bytes(b"no tone")
    return folder


def highest(sound: NDArray[np.float32]) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 18))
    return float(np.fft.rfftfreq(1 << 18, 1 / RATE)[spectrum.argmax()])


@pytest.mark.parametrize(
    ("library", "layer", "pitch"),
    [
        (STEINWAY, "pp", 23),
        (STEINWAY, "mp", 50),
        (STEINWAY, "mf", 60),
        (YAMAHA, "1", 61),
        (KAWAI, "l", 21),
    ],
)
def test_a_tone_has_its_keys_pitch_and_begins_at_once(
    folder: Path, library: Library, layer: str, pitch: int
) -> None:
    tones = RecordedTones(library, folder / library.name, RATE)
    tone = tones.tone(tones.microphones[0], layer, pitch)
    assert highest(tone) == pytest.approx(hz(pitch), rel=0.01)
    assert np.abs(tone[: RATE // 100]).max() > 0.3
    assert np.abs(tone).max() == pytest.approx(1.0, abs=0.1)


def test_a_harder_stroke_is_louder_and_brighter(folder: Path) -> None:
    tones = RecordedTones(YAMAHA, folder / YAMAHA.name, RATE)
    piano = RecordedPiano(tones, np.random.default_rng(0))
    soft, loud = (piano.play([Note(0.1, 1.0, 60, v)], 1.0) for v in (20, 127))
    assert np.square(loud).sum() > 10 * np.square(soft).sum()

    def overtone(sound: NDArray[np.float32]) -> float:
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
        return float(spectrum[round(2 * hz(60))] / spectrum[round(hz(60))])

    assert overtone(loud) > 2 * overtone(soft)


def test_partials_are_louder_as_they_are_drawn_and_nothing_comes_before_the_attack() -> None:
    time = np.arange(RATE) / RATE
    tone = np.sin(2 * np.pi * 110 * np.outer([1, 2, 3], time)).sum(0).astype(np.float32)
    tone[: RATE // 4] = 0
    revoiced = revoice(tone, 110, RATE, np.array([0.0, 6.0, -6.0]))
    assert np.abs(revoiced[: RATE // 4 - 4]).max() < 1e-3
    before, after = (
        np.abs(np.fft.rfft(sound[RATE // 2 :]))[[55, 110, 165]] for sound in (tone, revoiced)
    )
    assert 20 * np.log10(after / before) == pytest.approx([0, 6, -6], abs=0.3)


def test_a_note_ends_when_its_damper_falls(folder: Path) -> None:
    tones = RecordedTones(YAMAHA, folder / YAMAHA.name, RATE)
    piano = RecordedPiano(tones, np.random.default_rng(1))
    sound = piano.play([Note(0.1, 0.4, 60, 20)], 2.0)
    assert np.abs(sound[int(0.35 * RATE) : int(0.4 * RATE)]).max() > 0.01 * np.abs(sound).max()
    assert not np.abs(sound[int(1.5 * RATE) :]).any()
    assert len(sound) == 2 * RATE


def test_what_begins_outside_is_left_out(folder: Path) -> None:
    tones = RecordedTones(YAMAHA, folder / YAMAHA.name, RATE)
    piano = RecordedPiano(tones, np.random.default_rng(1))
    assert not piano.play([Note(-0.5, 1.0, 60, 20), Note(1.0, 2.0, 60, 20)], 1.0).any()


def test_equal_draws_play_alike_and_others_do_not(folder: Path) -> None:
    tones = RecordedTones(YAMAHA, folder / YAMAHA.name, RATE)
    first, again, other = (
        RecordedPiano(tones, np.random.default_rng(seed)).play([Note(0.0, 0.5, 60, 20)], 0.5)
        for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_folder_without_samples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected samples of SplendidGrandPiano, found none"):
        RecordedTones(STEINWAY, tmp_path, RATE)


def test_a_sample_that_is_broken_is_named(folder: Path, tmp_path: Path) -> None:
    samples = tmp_path / "Samples"
    samples.mkdir()
    (samples / "FF A3.flac").write_bytes(b"no sound")
    tones = RecordedTones(STEINWAY, tmp_path, RATE)
    with pytest.raises(DataError, match=r"FF A3\.flac: expected a sample of a recorded piano"):
        tones.tone("", "ff", 69)


def test_a_library_is_fetched_once(folder: Path, tmp_path: Path) -> None:
    origin = folder / STEINWAY.name
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "Add samples"]):
        who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", str(origin), *who, *command], check=True, capture_output=True)
    library = replace(STEINWAY, url=f"file://{origin}")
    place = ensure_library(library, tmp_path)
    assert (place / "Samples" / "FF A3.flac").is_file()
    assert ensure_library(replace(library, url="file:///nowhere/" + place.name), tmp_path) == place


def test_a_library_that_cannot_be_fetched_says_what_to_do(tmp_path: Path) -> None:
    library = replace(STEINWAY, url=f"file://{tmp_path}/missing")
    with pytest.raises(DataError, match=r"expected to fetch a recorded piano with git into"):
        ensure_library(library, tmp_path / "cache")
    assert not (tmp_path / "cache" / "missing").exists()


def test_one_of_the_pianos_is_drawn(folder: Path) -> None:
    drawn = {
        recorded_piano(np.random.default_rng(seed), RATE, folder)._tones.library.name
        for seed in range(12)
    }
    assert drawn == {STEINWAY.name, YAMAHA.name, KAWAI.name}
