"""Folders of shards: of one choice alone, and only what is missing is made, wherever it is made."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from engine.core.errors import DataError
from offline_train.data.jobs import (
    Jobs,
    Lines,
    missing_shards,
    record_settings,
    run_here,
    run_in_processes,
    run_missing,
)
from offline_train.data.shards import Piece, read_manifest
from tests.offline_train.shard_fixtures import song

NAMES = ("a.tar", "b.tar")


def pieces(name: str) -> Iterator[Piece]:
    if name == "broken.tar":
        raise DataError("broken.tar: expected a song")
    yield song(name[:-4], 1.0)


JOBS = {name: partial(pieces, name) for name in NAMES}


@pytest.mark.parametrize("workers", [0, 1])
def test_only_what_is_missing_or_cut_short_is_made(tmp_path: Path, workers: int) -> None:
    do = partial(run_in_processes, workers)
    run_missing(tmp_path, JOBS, "make", do)
    assert list(read_manifest(tmp_path)) == list(NAMES) and missing_shards(tmp_path, NAMES) == []
    whole, kept = (tmp_path / "b.tar").read_bytes(), (tmp_path / "a.tar").stat().st_mtime_ns
    (tmp_path / "b.tar").write_bytes(whole[:-1])
    assert missing_shards(tmp_path, [*NAMES, "c.tar"]) == ["b.tar", "c.tar"]
    run_missing(tmp_path, JOBS, "make", do)
    assert (tmp_path / "b.tar").read_bytes() == whole
    assert (tmp_path / "a.tar").stat().st_mtime_ns == kept


def test_what_was_made_before_an_error_is_kept(tmp_path: Path) -> None:
    jobs = {name: partial(pieces, name) for name in ("a.tar", "broken.tar", "b.tar")}
    with pytest.raises(DataError, match="expected a song"):
        run_missing(tmp_path, jobs, "make")
    assert list(read_manifest(tmp_path)) == ["a.tar"] and not list(tmp_path.glob(".*"))
    with pytest.raises(DataError, match="expected a song"):
        run_missing(tmp_path, jobs, "make", partial(run_in_processes, 1))


def test_whoever_does_the_jobs_is_told_of_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = []

    def do(jobs: Jobs) -> Lines:
        try:
            yield from run_here(jobs)
        finally:
            ended.append(True)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("offline_train.data.jobs.append_manifest", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_missing(tmp_path, JOBS, "make", do)
    assert ended and not (tmp_path / "b.tar").exists()


def test_a_folder_is_of_one_choice(tmp_path: Path) -> None:
    record_settings(tmp_path / "out", {"seed": 1, "corpus": "pop909"}, "choice.json")
    text = (tmp_path / "out" / "choice.json").read_text()
    record_settings(tmp_path / "out", {"corpus": "pop909", "seed": 1}, "choice.json")
    with pytest.raises(DataError, match=r"other settings \(limit, seed\); name another folder"):
        record_settings(
            tmp_path / "out", {"seed": 2, "corpus": "pop909", "limit": 3}, "choice.json"
        )
    assert text == '{\n "seed": 1,\n "corpus": "pop909"\n}'
