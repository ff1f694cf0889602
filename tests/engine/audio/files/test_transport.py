"""A song that is paused, moved and looped while it plays."""

import threading
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from engine.audio.files.file_source import FileSource
from engine.core.errors import ConfigError
from engine.core.song_place import SongCommand
from tests.messages import refused

RATE, BLOCK = 8000, 200


@pytest.fixture
def source(tmp_path: Path) -> FileSource:
    """Ten seconds in which each sample tells its place."""
    soundfile.write(tmp_path / "a.wav", np.arange(10 * RATE) / (10 * RATE), RATE, subtype="FLOAT")
    return FileSource(tmp_path / "a.wav", block_size=BLOCK)


def second(block: np.ndarray) -> float:
    return float(block[0, 0]) * 10


def test_a_song_goes_on_where_it_is_sent(source: FileSource) -> None:
    blocks = iter(source)
    assert second(next(blocks)) == 0.0
    source.transport.do(SongCommand("seek", 7.125))
    assert second(next(blocks)) == pytest.approx(7.125)
    source.transport.do(SongCommand("seek", 2.0))
    assert second(next(blocks)) == pytest.approx(2.0)
    assert source.place.position == pytest.approx(2.0 + BLOCK / RATE)
    assert source.place.duration == 10.0
    source.transport.do(SongCommand("seek", 99.0))
    assert list(blocks) == []


def test_a_loop_is_repeated_until_it_is_taken_away(source: FileSource) -> None:
    source.transport.do(SongCommand("loop", 1.0, 1.5))
    blocks = iter(source)
    places = [second(next(blocks)) for _ in range(60 + 3 * 20)]
    assert max(places) < 1.5 and sum(abs(place - 1.0) < 1e-3 for place in places) == 4
    assert source.place.loop == (1.0, 1.5)
    source.transport.do(SongCommand("unloop"))
    assert second([*blocks][-1]) == pytest.approx(10.0, abs=BLOCK / RATE + 1e-3)


def test_a_loop_is_read_once(source: FileSource, monkeypatch: pytest.MonkeyPatch) -> None:
    n_opened, read = 0, source.blocks

    def blocks(block_size: int | None = None) -> Generator[NDArray[np.float32]]:
        nonlocal n_opened
        n_opened += 1
        return read(block_size)

    monkeypatch.setattr(source, "blocks", blocks)
    source.transport.do(SongCommand("seek", 4.0))
    source.transport.do(SongCommand("loop", 4.0, 4.5))
    repeated = iter(source)
    places = [second(next(repeated)) for _ in range(2 + 5 * 20)]
    assert places[1:21] == places[21:41] == places[81:101] and n_opened == 2
    source.transport.do(SongCommand("unloop"))
    after = [second(next(repeated)) for _ in range(25)]
    assert after[18] == pytest.approx(4.475, abs=1e-3) and after[19] == pytest.approx(4.5, abs=1e-3)


def test_a_loop_past_the_end_begins_again(source: FileSource) -> None:
    source.transport.do(SongCommand("loop", 9.5, 20.0))
    source.transport.do(SongCommand("seek", 9.5))
    blocks = iter(source)
    places = [second(next(blocks)) for _ in range(1 + 45)]
    assert places[1] == places[21] == places[41] == pytest.approx(9.5)


def test_a_paused_song_waits_and_stops(source: FileSource) -> None:
    blocks = iter(source)
    next(blocks)
    source.transport.do(SongCommand("pause"))
    assert source.place.is_paused
    got: list[np.ndarray] = []
    reader = threading.Thread(target=lambda: got.extend(blocks), daemon=True)
    reader.start()
    source.transport.do(SongCommand("seek", 9.9))
    assert not got
    source.transport.do(SongCommand("play"))
    reader.join(20)
    assert second(got[0]) == pytest.approx(9.9) and not source.place.is_paused
    blocks = iter(source)
    next(blocks)
    source.transport.do(SongCommand("pause"))
    source._stop.set()
    assert list(blocks) == []


def test_what_no_song_can_do_is_refused() -> None:
    with refused(ConfigError, "place in it", "-1 s"):
        SongCommand("seek", -1.0)
    with refused(ConfigError, "loop's end", "2 s after 3 s"):
        SongCommand("loop", 3.0, 2.0)
    with refused(ConfigError, "pause", "unloop", "'rewind'"):
        SongCommand("rewind")  # type: ignore[arg-type]
