"""Folders of what was heard: kept, and of one choice of shards alone."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import DataError
from offline_train.data.analysis_cache import cached_pieces, group_by_shard, record_sources
from offline_train.data.sampler import mix_piece
from offline_train.data.shards import Piece, read_shards
from tests.offline_train.shard_fixtures import song, write_folder


def heard(name: str) -> Iterator[Piece]:
    yield Piece(name, {"notes": np.zeros((1, 5), np.float32)}, {"seconds": 1.0})


def test_what_is_heard_is_kept(tmp_path: Path) -> None:
    jobs = {f"{name}.tar": partial(heard, name) for name in ("a", "b")}
    assert [piece.name for piece in cached_pieces(tmp_path, jobs)] == ["a", "b"]


def test_pieces_stay_with_their_shard(tmp_path: Path) -> None:
    one = write_folder(tmp_path / "one", [song("a", 1.0), song("b", 1.0)])
    other = write_folder(tmp_path / "other", [song("c", 1.0)])
    found = group_by_shard([one, other], lambda piece: piece.name != "a", "songs")
    assert [(n, [p.name for p in pieces]) for n, pieces in found] == [
        ("0-shard-00000", ["b"]),
        ("1-shard-00000", ["c"]),
    ]
    assert len(group_by_shard([one, other], lambda piece: True, "songs", limit=2)) == 1
    with pytest.raises(DataError, match="other: expected songs; run livecover-train prepare"):
        group_by_shard([other], lambda piece: False, "songs")


def test_a_folder_is_of_one_choice(tmp_path: Path) -> None:
    shards = write_folder(tmp_path / "shards", [song("a", 1.0)])
    record_sources(tmp_path / "heard", [shards], {"seed": 1})
    record_sources(tmp_path / "heard", [shards], {"seed": 1})
    with pytest.raises(DataError, match=r"other settings \(data, seed\); name"):
        record_sources(tmp_path / "heard", [], {"seed": 2})


def test_a_piece_is_played_as_long_as_it_is(tmp_path: Path) -> None:
    (piece,) = read_shards(write_folder(tmp_path / "shards", [song("a", 1.0)]))
    sound, gains = mix_piece(piece, np.random.default_rng(1))
    assert sound.shape == (16000,) and sound.dtype == np.float32 and gains.shape == (2,)
