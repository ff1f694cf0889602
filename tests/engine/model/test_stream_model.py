"""A stream with a tiny real model: notes from blocks of any size, and a sleep without inference."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.notes import Event, NoteEvent, notes_of
from engine.core.settings import DecoderSettings, EngineSettings
from engine.cover.stream import CoverStream
from engine.model.graph import Graph
from engine.model.pipeline import load_pipeline

Array = NDArray[np.float32]
RATE = 4000
SETTINGS = EngineSettings(  # thresholds so low that the untrained model plays
    decoder=DecoderSettings(onset_threshold=0.05, frame_on_threshold=0.05, frame_off_threshold=0.02)
)


def cover(path: Path, song: Array, rate: int, block: int) -> list[NoteEvent]:
    stream = CoverStream(load_pipeline(path), SETTINGS, rate, song.shape[1])
    events: list[Event] = []
    for start in range(0, len(song), block):
        events += stream.push(song[start : start + block])
    return notes_of(events + stream.finish())


def table(events: list[NoteEvent]) -> NDArray[np.float64]:
    """Return (n, 3): pitch, velocity and seconds of each event, pitch by pitch in time."""
    rows = [(event.pitch, event.velocity, event.time) for event in events]
    return np.array(sorted(rows, key=lambda row: (row[0], row[2], row[1])))


@pytest.mark.parametrize("kind", ["stateful", "window"])
@pytest.mark.parametrize("rate", [RATE, 2 * RATE])
def test_any_block_size_gives_the_same_notes(
    request: pytest.FixtureRequest, tiny_song: Array, kind: str, rate: int
) -> None:
    path: Path = request.getfixturevalue(f"tiny_{kind}_path")
    song = np.repeat(tiny_song, rate // RATE)[:, None].repeat(2, axis=1)
    expected = table(cover(path, song, rate, len(song)))
    assert len(expected) > 10
    assert 2 * np.count_nonzero(expected[:, 1]) == len(expected)
    for block in (61, 256, 4096):
        found = table(cover(path, song, rate, block))
        assert found.shape == expected.shape
        # what float sums differ by: a step of velocity, a millisecond of a peak's place
        assert (np.abs(found - expected) <= (0, 1, 1e-3)).all()


def test_in_its_sleep_nothing_is_computed(
    tiny_stateful_path: Path, tiny_song: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = CoverStream(load_pipeline(tiny_stateful_path), SETTINGS, RATE, 1)
    n_runs = 0

    def counting(name: str) -> None:
        run = getattr(Graph, name)

        def counted(*arguments: object) -> object:
            nonlocal n_runs
            n_runs += 1
            return run(*arguments)

        monkeypatch.setattr(Graph, name, counted)

    counting("run")
    counting("run_with_state")
    silence = np.zeros((256, 1), np.float32)
    events = stream.push(tiny_song[:, None])
    while not stream.is_asleep:
        events += stream.push(silence)
    for _ in range(10):  # the lead-in fills up, and the first gap answers what was underway
        events += stream.push(silence)
    assert sum(1 if event.is_on else -1 for event in notes_of(events)) == 0
    assert n_runs > 0
    n_runs = 0
    for _ in range(200):
        assert stream.push(silence) == []
    assert n_runs == 0
    stream.push(tiny_song[:, None])
    assert n_runs > 0
