"""A program's streams become one."""

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.programs.stream_mixer import LATE_AFTER, MAX_BACKLOG, StreamMixer

RATE = 1000


def block(n_samples: int, value: float) -> NDArray[np.float32]:
    return np.full((n_samples, 2), value, np.float32)


def left(mix: NDArray[np.float32] | None) -> list[float]:
    assert mix is not None and mix.shape[1] == 2
    return [float(value) for value in mix[:, 0]]


def test_one_stream_passes_as_it_is() -> None:
    mixer = StreamMixer(RATE, 2)
    assert mixer.take(0.0) is None
    mixer.push("a", block(3, 0.5), 0.0)
    assert left(mixer.take(0.0)) == [0.5] * 3
    assert mixer.take(0.0) is None


@pytest.mark.parametrize("sizes", [(1, 1), (7, 5), (64, 256)])
def test_streams_are_added_whatever_their_blocks(sizes: tuple[int, int]) -> None:
    mixer = StreamMixer(RATE, 2)
    mixed: list[float] = []
    ramp = np.repeat(np.arange(512, dtype=np.float32)[:, None], 2, axis=1)
    songs = [ramp, block(512, 0.25)]
    for at in range(512):
        now = at / 44100
        for stream, (song, size) in enumerate(zip(songs, sizes, strict=True)):
            if at % size == 0:
                mixer.push(stream, song[at : at + size], now)
        if (mix := mixer.take(now)) is not None:
            mixed += left(mix)
    assert len(mixed) >= 512 - max(sizes)
    assert mixed == [at + 0.25 for at in range(len(mixed))]


def test_a_late_stream_is_waited_for_and_then_no_more() -> None:
    mixer = StreamMixer(RATE, 2)
    mixer.push("a", block(2, 1.0), 0.0)
    mixer.push("b", block(3, 2.0), 0.0)
    assert left(mixer.take(0.0)) == [3.0, 3.0]
    mixer.push("a", block(4, 1.0), LATE_AFTER)
    assert left(mixer.take(LATE_AFTER)) == [3.0]
    assert mixer.take(LATE_AFTER) is None
    assert left(mixer.take(LATE_AFTER + 0.001)) == [1.0] * 3
    mixer.push("b", block(2, 2.0), 1.0)
    mixer.push("a", block(2, 1.0), 1.0)
    assert left(mixer.take(1.0)) == [3.0, 3.0]


def test_a_stream_that_has_ended_is_not_waited_for() -> None:
    mixer = StreamMixer(RATE, 2)
    mixer.push("a", block(2, 1.0), 0.0)
    mixer.push("b", block(2, 2.0), 0.0)
    mixer.take(0.0)
    mixer.push("a", block(2, 1.0), 0.01)
    assert mixer.take(0.01) is None
    mixer.keep({"a"})
    assert left(mixer.take(0.01)) == [1.0, 1.0]


def test_a_stream_of_a_faster_clock_is_cut() -> None:
    mixer, most = StreamMixer(RATE, 2), round(MAX_BACKLOG * RATE)
    mixer.push("slow", block(1, 1.0), 0.0)
    mixer.push("fast", block(2 * most, 2.0), 0.0)
    mixer.push("fast", block(1, 5.0), 0.0)
    mixer.take(0.0)
    mixer.push("slow", block(3 * most, 1.0), 0.0)
    mix = left(mixer.take(0.0))
    assert len(mix) == most - 1 and mix[-1] == 6.0
