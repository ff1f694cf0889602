"""Rolls, spectra, and batches in which every snippet has exactly one partner."""

from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import DataError
from offline_train.data.shards import StoredPiece
from offline_train.studies.matching.snippets import LEAST_CELLS, SnippetSource, analyze_pieces
from offline_train.studies.matching.views import (
    BINS_PER_OCTAVE,
    MIN_HZ,
    N_BINS,
    N_FRAMES,
    roll_window,
    sound_window,
    spectrum,
)
from tests.messages import refused
from tests.offline_train.shard_fixtures import RATE, song, tones, write_folder


def test_a_roll_shows_notes_and_strikes() -> None:
    notes = np.array([[1.0, 1.5, 60, 80], [1.5, 2.0, 60, 80], [2.9, 9.0, 72, 80]], np.float32)
    roll = roll_window(notes, 1.0)
    assert roll[60, :23].all() and roll[60, 23] == 0 and roll[60, 24:48].all()
    assert not roll[60, 48:].any()
    assert not roll[72, :91].any() and roll[72, 91:].all()
    assert roll_window(notes, 1.0, 5)[65, :23].all()


def test_a_tone_lies_in_its_bin_and_moves_with_the_key() -> None:
    hertz = MIN_HZ * 2 ** (60 / BINS_PER_OCTAVE)
    time = np.arange(3 * RATE) / RATE
    frames = spectrum(np.sin(2 * np.pi * hertz * time).astype(np.float32) * 0.5)
    assert frames.shape[1] == N_BINS
    plain, moved = sound_window(frames, 20), sound_window(frames, 20, 3)
    assert plain.shape == (N_BINS, N_FRAMES)
    assert plain[:, 80].argmax() == 60 and moved[:, 80].argmax() == 64
    assert plain.mean() == pytest.approx(0, abs=1e-4) and plain.std() == pytest.approx(1, abs=1e-3)


def test_too_short_a_sound_is_told() -> None:
    with refused(DataError, "2 s", "0.50 s"):
        spectrum(np.zeros(RATE // 2, np.float32))


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> list[StoredPiece]:
    folder = tmp_path_factory.mktemp("matching")
    shards = write_folder(folder / "shards", [song("one", 8.0), song("two", 6.0)])
    return analyze_pieces([shards], folder / "heard", "cover", n_mixes=2)


def test_hearing_goes_on_where_it_stopped(tmp_path: Path) -> None:
    shards = write_folder(tmp_path / "shards", [song("one", 5.0)])
    first = analyze_pieces([shards], tmp_path / "heard", "cover", n_mixes=1)
    path = tmp_path / "heard" / "0-shard-00000-0.tar"
    before = path.stat().st_mtime_ns
    assert [p.name for p in analyze_pieces([shards], tmp_path / "heard", "cover", 1)] == [
        first[0].name
    ]
    assert path.stat().st_mtime_ns == before
    with pytest.raises(DataError, match=r"other settings \(hearings\)"):
        analyze_pieces([shards], tmp_path / "heard", "cover", n_mixes=2)
    with refused(DataError, "solo", "livecover-train prepare"):
        analyze_pieces([shards], tmp_path / "solo", "piano")


def test_every_snippet_has_exactly_one_partner(heard: list[StoredPiece]) -> None:
    assert len(heard) == 4  # two pieces, heard twice
    batch = SnippetSource(heard).draw(12, np.random.default_rng(1))
    assert batch.rolls.shape == (12, 128, 96) and batch.sounds.shape == (12, 128, N_FRAMES)
    rolls = batch.rolls.numpy().reshape(12, -1) > 0
    assert (rolls.sum(1) >= LEAST_CELLS).all()
    for a in range(12):
        for b in range(a):
            shared, every = (rolls[a] & rolls[b]).sum(), (rolls[a] | rolls[b]).sum()
            assert shared < 0.8 * every


def test_partners_are_cut_at_the_same_place(heard: list[StoredPiece]) -> None:
    batch = SnippetSource(heard).draw(4, np.random.default_rng(2))
    pieces = {piece.name: piece for piece in heard}
    for roll, place in zip(batch.rolls.numpy(), batch.places, strict=True):
        notes = np.array(pieces[place.piece].array("notes"))
        assert np.array_equal(roll > 0, roll_window(notes, place.start, place.semitones) > 0)


def test_more_than_there_is_is_told(heard: list[StoredPiece]) -> None:
    source = SnippetSource(heard[:1], max_shift=0, too_like=0.0)
    with refused(DataError, "1 pieces", "12", "smaller batches"):
        source.draw(12, np.random.default_rng(1))


def test_the_tones_are_as_labelled() -> None:
    samples, notes = tones(4.0, 1)
    window = sound_window(spectrum(np.asarray(samples / 32768, np.float32)), 0)
    pitch = notes[4, 2]
    frame = round((notes[4, 0] + 0.075) / 0.012)
    bin_ = round(BINS_PER_OCTAVE * np.log2(440 * 2 ** ((pitch - 69) / 12) / MIN_HZ))
    assert abs(int(window[:, frame].argmax()) - bin_) <= 1
