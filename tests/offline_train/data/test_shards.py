"""Shards: what goes in comes out, mapped; equal pieces give equal bytes; a cut one is noticed."""

import logging
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import DataError
from offline_train.data import shards
from offline_train.data.shards import (
    Piece,
    append_manifest,
    is_whole,
    manifest_hash,
    read_manifest,
    read_shards,
    sha256,
    write_manifest,
    write_shard,
)
from tests.messages import refused
from tests.offline_train.shard_fixtures import recording, song, write_folder


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    a, b = song("a", 1.0), recording("b", 2.0)
    empty = Piece("c", {"score": np.zeros((0, 5), np.float32)}, {"seconds": 0.0})
    folder = write_folder(tmp_path / "out", [a, b, empty])
    found = read_shards(folder)
    assert [p.name for p in found] == ["a", "b", "c"]
    for before, after in zip((a, b, empty), found, strict=True):
        assert after.facts == before.facts
        for key, array in before.arrays.items():
            assert key in after
            np.testing.assert_array_equal(after.array(key), array)
    assert isinstance(found[0].array("stems"), np.memmap)
    with refused(DataError, "b", "notes", "'stems'", "'teacher'"):
        found[1].array("notes")


def test_equal_pieces_give_equal_bytes(tmp_path: Path) -> None:
    one = write_shard(tmp_path / "one.tar", [song("a", 1.0)])
    two = write_shard(tmp_path / "two.tar", [song("a", 1.0)])
    assert one.sha256 == two.sha256 == sha256(tmp_path / "one.tar")
    assert (one.pieces, one.seconds, one.bytes) == (1, 1.0, (tmp_path / "one.tar").stat().st_size)


def test_the_hash_of_a_manifest_does_not_depend_on_the_order(tmp_path: Path) -> None:
    lines = [write_shard(tmp_path / f"{k}.tar", [song(str(k), 0.5)]) for k in range(3)]
    for line in lines:
        append_manifest(tmp_path, line)
    forward = manifest_hash(tmp_path)
    write_manifest(tmp_path, lines[::-1])
    assert manifest_hash(tmp_path) == forward
    write_manifest(tmp_path, lines[:2])
    assert manifest_hash(tmp_path) != forward


def test_a_shard_cut_short_is_named_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_folder(tmp_path / "out", [song("a", 1.0)])
    append_manifest(folder, write_shard(folder / "shard-00001.tar", [song("b", 1.0)]))
    path = folder / "shard-00001.tar"
    line = read_manifest(folder)[path.name]
    content = path.read_bytes()
    path.write_bytes(content[:-1000])
    assert not is_whole(folder, line)
    with caplog.at_level(logging.WARNING):
        assert [p.name for p in read_shards(folder)] == ["a"]
    assert "shard-00001.tar: left out" in caplog.text
    path.write_bytes(content[:-1000] + bytes(999) + b"x")
    assert is_whole(folder, line) and not is_whole(folder, line, verify=True)


def test_a_folder_without_shards_says_what_to_run(tmp_path: Path) -> None:
    with refused(DataError, "shards", "livecover-train prepare"):
        read_shards(tmp_path)


def test_a_cut_line_of_the_manifest_is_skipped(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "out", [song("a", 1.0)])
    with (folder / "manifest.jsonl").open("a") as file:
        file.write('{"file": "shard-00001.tar", "pie')
    assert list(read_manifest(folder)) == ["shard-00000.tar"]


def test_a_full_disk_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shards, "_add", full)
    with refused(DataError, "No space left on device", "run the same command again"):
        write_shard(tmp_path / "a.tar", [song("a", 1.0)])
    assert list(tmp_path.iterdir()) == []
