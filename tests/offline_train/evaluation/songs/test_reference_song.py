"""Songs are kept whole, and made again when they are not."""

from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import DataError
from offline_train.evaluation.songs.reference_song import SAMPLE_RATE, ReferenceSong, cached_song

SOUND = (0.3 * np.sin(np.arange(2 * SAMPLE_RATE) / 9)).astype(np.float32)
NOTES = np.array([[0.1, 0.4, 60, 80, 1]], np.float32)


class Maker:
    """Makes a song and counts how often."""

    def __init__(self, song: ReferenceSong) -> None:
        self.song, self.n_calls = song, 0

    def __call__(self) -> ReferenceSong:
        self.n_calls += 1
        return self.song


def test_a_song_is_made_once_and_read_back(tmp_path: Path) -> None:
    maker = Maker(ReferenceSong("one", SOUND, NOTES, np.array([0.0, 0.5])))
    first = cached_song(tmp_path / "rung", "one", maker)
    second = cached_song(tmp_path / "rung", "one", maker)
    assert maker.n_calls == 1
    assert np.abs(first.samples - SOUND).max() < 2**-15
    assert (first.samples == second.samples).all()
    assert second.notes is not None and (second.notes == NOTES).all()
    assert second.beats is not None and second.beats.tolist() == [0, 0.5]
    assert second.seconds == 2
    assert {path.suffix for path in (tmp_path / "rung").iterdir()} == {".flac", ".npz"}


def test_what_is_not_known_stays_unknown(tmp_path: Path) -> None:
    song = cached_song(tmp_path, "one", Maker(ReferenceSong("one", SOUND)))
    assert song.notes is None and song.beats is None


@pytest.mark.parametrize("suffix", [".flac", ".npz"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_file_cut_short_is_made_again(tmp_path: Path, suffix: str, share: float) -> None:
    maker = Maker(ReferenceSong("one", SOUND, NOTES))
    cached_song(tmp_path, "one", maker)
    path = tmp_path / f"one{suffix}"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    song = cached_song(tmp_path, "one", maker)
    assert maker.n_calls == 2
    assert len(song.samples) == len(SOUND)


@pytest.mark.parametrize("suffix", [".flac", ".npz"])
def test_a_missing_file_is_made_again(tmp_path: Path, suffix: str) -> None:
    maker = Maker(ReferenceSong("one", SOUND))
    cached_song(tmp_path, "one", maker)
    (tmp_path / f"one{suffix}").unlink()
    assert len(cached_song(tmp_path, "one", maker).samples) == len(SOUND)
    assert maker.n_calls == 2


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="expected to keep rendered songs there"):
        cached_song(tmp_path / "file", "one", Maker(ReferenceSong("one", SOUND)))


def test_two_processes_may_make_the_same_song_at_once(tmp_path: Path) -> None:
    """The second one has written and read it before the first one writes."""
    other = Maker(ReferenceSong("one", SOUND))

    def make() -> ReferenceSong:
        written = cached_song(tmp_path, "one", other)
        assert len(written.samples) == len(SOUND)
        return other()

    assert len(cached_song(tmp_path, "one", make).samples) == len(SOUND)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.flac", "one.npz"]


def test_a_song_in_stereo_keeps_its_side(tmp_path: Path) -> None:
    both = np.stack([SOUND, SOUND[::-1]], 1)
    kept = cached_song(tmp_path, "two", Maker(ReferenceSong("two", both)))
    assert np.abs(kept.sound - both).max() < 2**-15
    assert kept.samples.shape == SOUND.shape and kept.seconds == len(SOUND) / SAMPLE_RATE
