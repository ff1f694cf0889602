"""Pieces for the beat network: beats and sound stay together, with clicks in FluidSynth's place."""

from pathlib import Path

import mido
import numpy as np
import pytest

from models.features import LOG_STFT_16K
from offline_train.corpora import Song
from offline_train.data.beats import pieces, recordings
from offline_train.data.beats.pieces import BeatPiecesConfig, make_pieces, remix
from offline_train.data.recordings import Recording
from offline_train.data.shards import Piece, StoredPiece, append_manifest, read_shards, write_shard
from offline_train.data.sources import SOURCES
from offline_train.synthesis.render import Audio
from tests.offline_train.fixtures import write_data

FRAME_S = LOG_STFT_16K.frame_s


@pytest.fixture(autouse=True)
def clicks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every note is a click; no MMA, no mastering."""

    def click(midi: mido.MidiFile, font: str, sample_rate: int) -> Audio:
        sound, now = np.zeros((int((midi.length + 1) * sample_rate), 2), np.float32), 0.0
        for message in midi:
            now += message.time
            if message.type == "note_on" and message.velocity:
                at = int(now * sample_rate)
                sound[at : at + 100] = 0.5
        return sound

    def machine(song: Song, rng: np.random.Generator) -> list[object]:
        return []

    def unmastered(mix: object, rng: object, rate: int) -> object:
        return mix

    for module in (pieces, recordings):
        monkeypatch.setattr(module, "master", unmastered)
    monkeypatch.setattr(pieces, "fluidsynth", click)
    monkeypatch.setattr(pieces, "mma_players", machine)


def loud_at_beats(piece: StoredPiece) -> float:
    """By how much a frame on a beat is louder than the mean, in steps."""
    level = np.array(piece.array("features")[0], float).mean(1)
    frames = np.round(piece.array("beats")[:, 0] / FRAME_S).astype(int)
    frames = frames[frames < len(level) - 1]
    near = np.max([level[np.maximum(frames + k, 0)] for k in (-1, 0, 1)], 0)
    return float(near.mean() - level.mean())


def test_a_split_becomes_pieces_whose_beats_are_where_they_sound(tmp_path: Path) -> None:
    config = BeatPiecesConfig(
        write_data(tmp_path / "data", 3), tmp_path / "out", LOG_STFT_16K, mixes=2, workers=0
    )
    assert make_pieces(config) == 3
    for piece in read_shards(tmp_path / "out"):
        features, beats = piece.array("features"), piece.array("beats")
        assert features.dtype == np.uint8
        assert features.shape[0] == 2 and features.shape[2] == LOG_STFT_16K.n_bins
        assert set(np.unique(beats[:, 1])) == {0.0, 1.0}
        assert loud_at_beats(piece) > 3
    times = [piece.array("beats")[:, 0] for piece in read_shards(tmp_path / "out")]
    intervals = {round(float(np.diff(each).mean()), 3) for each in times}
    assert len(intervals) == 3  # each at a tempo of its own


def test_the_same_seed_makes_the_same_pieces(tmp_path: Path) -> None:
    data, found = write_data(tmp_path / "data", 1), []
    for name in ("a", "b"):
        make_pieces(BeatPiecesConfig(data, tmp_path / name, LOG_STFT_16K, mixes=1, workers=0))
        (piece,) = read_shards(tmp_path / name)
        found.append(np.array(piece.array("features")))
    np.testing.assert_array_equal(found[0], found[1])


def test_stems_are_mixed_anew_faster_or_slower_with_their_beats(tmp_path: Path) -> None:
    (tmp_path / "stems").mkdir()
    times = np.arange(0.3, 11.0, 0.5)
    stem = np.zeros(16000 * 11, np.int16)
    for at in (times * 16000).astype(int):
        stem[at : at + 80] = 16000
    beats = np.stack([times, np.arange(len(times)) % 4 == 0], 1).astype(np.float32)
    arrays: dict[str, np.ndarray] = {"stems": stem[:, None], "beats": beats}
    piece = Piece("song-0", arrays, {"seconds": 11.0, "roles": ["lead"]})
    append_manifest(tmp_path / "stems", write_shard(tmp_path / "stems" / "s.tar", [piece]))
    assert remix(tmp_path / "stems", tmp_path / "out", LOG_STFT_16K, mixes=2, workers=0) == 2
    first, second = read_shards(tmp_path / "out")
    assert first.array("beats")[3, 0] != second.array("beats")[3, 0]
    assert min(map(loud_at_beats, (first, second))) > 3


def test_a_recording_counts_where_two_trackers_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs = [Recording(SOURCES[0], title, (), 20.0) for title in ("sure", "unsure")]
    agreements = iter((0.9, 0.4))
    monkeypatch.setattr(recordings, "songs", lambda folder, split: songs)
    monkeypatch.setattr(
        recordings, "read_excerpt", lambda excerpt: np.zeros(16000 * 20, np.float32)
    )
    monkeypatch.setattr(
        recordings, "agreed_beats", lambda sound: (np.arange(1.0, 19.0), next(agreements))
    )
    made = recordings.make_recorded_pieces(tmp_path, tmp_path / "out", LOG_STFT_16K, workers=0)
    assert made == 1
    (piece,) = read_shards(tmp_path / "out")
    assert piece.array("features").shape[0] == 3
    assert (piece.array("beats")[:, 1] == -1).all()
