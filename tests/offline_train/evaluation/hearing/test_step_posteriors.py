from pathlib import Path

import mido
import numpy as np
import pytest

from engine.core.errors import DataError
from offline_train.corpora import read_song
from offline_train.data.accompaniment.crops import ExcerptPosteriors
from offline_train.evaluation.hearing.step_posteriors import (
    keep_posteriors,
    load_heard_songs,
    load_posteriors,
    of_songs,
)
from offline_train.synthesis.render import Audio
from tests.offline_train.fixtures import write_data


@pytest.fixture(autouse=True)
def tones(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every note is a sine; no MMA. Returns the SoundFonts asked for."""
    fonts: list[str] = []

    def sines(midi: mido.MidiFile, font: str, sample_rate: int) -> Audio:
        fonts.append(font)
        sound, now = np.zeros((int((midi.length + 1) * sample_rate), 2), np.float32), 0.0
        t = np.arange(int(0.3 * sample_rate)) / sample_rate
        for message in midi:
            now += message.time
            if message.type == "note_on" and message.velocity and message.channel != 9:
                at = int(now * sample_rate)
                wave = np.sin(2 * np.pi * 440 * 2 ** ((message.note - 69) / 12) * t)
                sound[at : at + len(t)] += 0.1 * wave[: len(sound) - at, None]
        return sound

    monkeypatch.setattr("offline_train.data.beats.pieces.fluidsynth", sines)
    monkeypatch.setattr("offline_train.data.beats.pieces.mma_players", lambda song, rng: [])
    return fonts


def test_songs_of_training_are_played_and_kept_once(tmp_path: Path, tones: list[str]) -> None:
    data, kept = write_data(tmp_path / "data", 2), tmp_path / "kept"
    assert keep_posteriors(of_songs(data, kept), data, kept) == 2
    assert len(tones) == 2
    found = load_posteriors(kept)
    assert keep_posteriors(of_songs(data, kept), data, kept) == 0  # nothing is rendered again
    assert len(tones) == 2
    for song_id, (excerpt,) in found.items():
        assert isinstance(excerpt, ExcerptPosteriors)
        beats = read_song(data / "pop909" / song_id).beats
        assert excerpt.first + len(excerpt.rows(10_000)) <= 4 * len(beats)
        assert excerpt.rows(10_000)[..., 1].max() > 0.5
    begun = load_posteriors(kept, dict.fromkeys(found, 0.1))
    for song_id, (excerpt,) in found.items():
        less, more = begun[song_id][0].rows(10_000), excerpt.rows(10_000)
        assert less.shape == more.shape
        assert (less[..., 0] <= more[..., 0]).all() and less.sum() < more.sum()
    for song in load_heard_songs(kept):
        n = len(song.onset)
        assert song.onset.shape == song.frame.shape == (n, 88)
        assert abs(n - len(song.attacks)) < 12 and song.attacks.max() > 0.5
        assert len(song.beats) == len(song.is_downbeat)
        assert np.flatnonzero(song.is_downbeat).tolist() == list(range(0, len(song.beats), 4))


def test_what_was_kept_by_step_alone_says_nothing_of_a_part_of_it(tmp_path: Path) -> None:
    np.savez(tmp_path / "001.npz", first=np.array(0), live=np.zeros((8, 88, 2), np.uint8))
    assert load_posteriors(tmp_path)["001"]
    with pytest.raises(DataError, match=r"001\.npz.*by frame.*hear-songs"):
        load_posteriors(tmp_path, {"001": 0.2})


def test_a_folder_without_songs_heard_by_frame_says_what_makes_them(tmp_path: Path) -> None:
    np.savez(tmp_path / "001-song.npz", live=np.zeros((4, 88, 2), np.uint8), first=0)
    with pytest.raises(DataError, match="expected songs heard by frame, found none: make them"):
        load_heard_songs(tmp_path)
