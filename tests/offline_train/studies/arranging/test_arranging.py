"""From shards to an exported arranger with a network of a few weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.core.errors import ConfigError, DataError, ModelError
from engine.whole_song.arranger import Arranger
from engine.whole_song.grid import Grid
from engine.whole_song.harmony import ChordName, Key
from engine.whole_song.song_analysis import SongAnalysis
from engine.whole_song.song_analyzer import MelodyNote
from models.arrangement import END, PAD, Arrangement
from offline_train.data.shards import Piece, StoredPiece, append_manifest, read_shards, write_shard
from offline_train.studies.arranging.batches import Corruption, Units, corrupt, groups_of, image_of
from offline_train.studies.arranging.export import export_arranger
from offline_train.studies.arranging.study import TINY
from offline_train.studies.arranging.train import (
    STAGES,
    ArrangerConfig,
    losses,
    masked,
    stage_at,
    texture_of,
    train,
    with_end,
)
from offline_train.studies.arranging.units import grid_notes, unit_starts
from tests.messages import refused

N_UNITS = 3


def analyzed_piece() -> Piece:
    rng = np.random.default_rng(1)
    rows = [
        (step, 4, pitch, 60 + 10 * (step % 3))
        for step in range(0, 32 * N_UNITS, 4)
        for pitch in sorted(rng.choice(np.arange(40, 70), 3, replace=False))
    ]
    chords = np.zeros((8 * N_UNITS, 36), np.float16)
    chords[:, [0, 12, 16, 19, 24]] = 1
    arrays: dict[str, NDArray[Any]] = {
        "sound": rng.random((32 * N_UNITS, 88, 4)).astype(np.float16),
        "chords": chords,
        "heard_chords": chords,
        "notes": np.array(rows, np.int16),
        "starts": np.array([0, 8], np.int32),
    }
    return Piece("one-0", arrays, {"seconds": 24.0})


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> list[StoredPiece]:
    folder = tmp_path_factory.mktemp("units")
    append_manifest(folder, write_shard(folder / "shard-00000.tar", [analyzed_piece()]))
    return read_shards(folder)


def config(out: Path) -> ArrangerConfig:
    return ArrangerConfig(out, TINY, steps=4, batch=2, valid_every=2, valid_units=2)


def test_notes_are_laid_on_the_grid() -> None:
    grid = Grid(np.arange(9) * 0.5)
    notes = np.array([[0.49, 1.1, 60, 80, 0], [0.49, 9.0, 72, 80, 1], [0.26, 0.27, 64, 70, 0]])
    assert grid_notes(notes, grid).tolist() == [[2, 1, 64, 70], [4, 5, 60, 80]]


def test_units_begin_where_the_annotation_has_bars_of_four() -> None:
    grid = Grid(np.arange(33) * 0.5)
    beats = np.stack([np.arange(32) * 0.5, np.arange(32) % 4 == 0], 1)
    notes = np.array([[k, 1, 60, 80] for k in range(128)], np.int16)
    assert unit_starts(grid, beats, notes).tolist() == [0, 8, 16, 24]
    beats[:, 1] = (np.arange(32) - 2) % 4 == 0
    assert unit_starts(grid, beats, notes).tolist() == [2, 10, 18]
    beats[10:, 1] = np.arange(22) % 4 == 2  # a bar of six before beat 12
    assert unit_starts(grid, beats, notes).tolist() == [12, 20]
    assert unit_starts(grid, beats, notes[100:]).tolist() == [20]


def test_groups_rise_and_end() -> None:
    notes = np.array([[0, 2, 64, 80], [0, 8, 60, 80], [0, 1, 64, 80], [5, 32, 40, 20]], np.int16)
    pitches, lengths, intensity = groups_of(notes)
    assert pitches[0, :3].tolist() == [39, 43, PAD] and lengths[0, :2].tolist() == [7, 1]
    assert pitches[5, 0] == 19 and lengths[5, 0] == 31
    assert intensity[5] == 0.0 and 0 < intensity[0] < 1
    ends = with_end(torch.from_numpy(pitches)[None])
    assert ends[0, 0, :4].tolist() == [39, 43, END, PAD] and ends[0, 1, 0] == END


def test_corruption_spoils_but_keeps_to_the_keys() -> None:
    notes = np.array(analyzed_piece().arrays["notes"])[:48]
    notes[:, 0] %= 32
    rng = np.random.default_rng(1)
    spoiled = corrupt(notes, rng)
    assert 20 < len(spoiled) < 45 and not np.array_equal(image_of(spoiled), image_of(notes))
    assert spoiled[:, 2].min() >= 21 and spoiled[:, 2].max() <= 108
    kept = corrupt(notes, rng, Corruption(0, 0, 0, 0))
    assert np.array_equal(kept, notes)


def test_keys_move_together(pieces: list[StoredPiece]) -> None:
    units = Units(pieces)
    assert len(units) == 2
    batch = units.draw(6, np.random.default_rng(3))
    assert batch.chords.shape == (6, 8, 36) and batch.sound.shape == (6, 32, 88, 4)
    plain = units.first(1)
    for k in range(6):
        shift = int(batch.chords[k, 0, :12].argmax())  # the root was C
        shift -= 12 * (shift > 6)
        known = int(batch.pitches[k, 0, 0]) - int(batch.pitches[0, 0, 0])
        other = int(batch.chords[0, 0, :12].argmax())
        other -= 12 * (other > 6)
        if bool(batch.has_previous[k] == batch.has_previous[0]):
            assert (known - (shift - other)) % 12 == 0
    assert not plain.has_previous[0] and plain.score[0].any()


def test_stages_follow_each_other() -> None:
    c = ArrangerConfig(Path())
    seen = [stage_at(c, done / 100)[0] for done in range(100)]
    assert list(dict.fromkeys(seen)) == list(STAGES)
    assert stage_at(replace(c, stages=("hear",)), 0.99) == ("hear", 0.99)


def test_the_texture_moves_from_score_to_noise(pieces: list[StoredPiece]) -> None:
    torch.manual_seed(1)
    network = Arrangement(TINY).eval()
    batch = Units(pieces).draw(4, np.random.default_rng(1))
    for stage, has_kl in (("rebuild", True), ("lean", True), ("hear", False), ("follow", False)):
        texture, kl = texture_of(network, batch, stage)
        assert texture.shape == (4, TINY.z_texture)
        assert (kl is not None) == has_kl
        if stage == "hear":
            assert float(texture.std()) == pytest.approx(0.1, rel=0.5)
    c = config(Path())
    weights = [float(losses(network, batch, c, "lean", p)["kl"].detach()) for p in (0.0, 1.0)]
    assert weights[1] == pytest.approx(50 * weights[0], rel=0.01)
    assert not masked(batch.sound, replace(c, hears_texture=False))[..., :3].any()
    assert not masked(batch.sound, replace(c, hears_texture=False, hears_melody=False)).any()


def test_a_run_goes_on_and_is_exported_and_arranges(
    tmp_path: Path, pieces: list[StoredPiece]
) -> None:
    units = Units(pieces)
    c = config(tmp_path)
    last = train(c, units, units)
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2
    assert train(c, units, units) == last
    with refused(ModelError, "batch", "2", "3", "another folder"):
        train(replace(c, batch=3), units, units)
    with pytest.raises(ConfigError, match="stages must be some of"):
        train(replace(c, stages=("dream",)), units, units)

    arranger = Arranger(export_arranger(last, tmp_path / "model"))
    sound = np.random.default_rng(2).random((64, 88, 4)).astype(np.float16)
    melody = [MelodyNote(0.1, 0.9, 76, 90)]
    grid = Grid(np.arange(13) * 0.5)  # three bars: the second unit is half empty
    analysis = SongAnalysis(grid, sound, [ChordName(0, "maj", 0)] * 16, Key(0, False), melody)
    shares: list[float] = []
    arranged = arranger.arrange(analysis, shares.append)
    assert shares == [0.5, 1.0]
    assert sum(note.is_melody for note in arranged.notes) == 1
    assert all(0 <= n.step and n.step + n.length <= 48 for n in arranged.notes)
    assert arranged.notes == arranger.arrange(analysis).notes


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    with refused(ModelError, "'nobody'", "folder"):
        Arranger("nobody")
    with pytest.raises(ModelError, match="no model file at"):
        Arranger(tmp_path)
    (tmp_path / "x.pt").write_text("no")
    with pytest.raises(ModelError, match="expected a checkpoint of train-arranger"):
        export_arranger(tmp_path / "x.pt", tmp_path / "model")
    with pytest.raises(DataError, match="found no unit of two"):
        Units([])
