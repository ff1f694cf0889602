"""Measures the cost of a plugin in a process of its own: milliseconds for a block of audio."""

import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from engine.midi.messages import Message
from engine.playback.outputs.output import BLOCK_S
from engine.playback.piano import Synth
from engine.playback.synth_process import SynthProcess
from livecover.bench import markdown
from livecover.settings.output import PianoSettings
from livecover.sounds.synth import open_synth

SAMPLE_RATE = 48000
WARM_BLOCKS = 100
NOTE_EVERY = 20  # blocks


class Silence:
    """A synthesizer that takes no time."""

    def render(self, n: int, messages: Sequence[tuple[int, Message]]) -> NDArray[np.float32]:
        """Return silence."""
        return np.zeros((n, 2), np.float32)

    def close(self) -> None:
        """Do nothing."""


def boundary(seconds: float) -> str:
    """Return how long blocks take in this process and in another, requested in real time."""
    piano = partial(open_synth, PianoSettings(enabled=True), SAMPLE_RATE)
    ways: list[tuple[str, Callable[[], Synth]]] = [
        ("silence, another process", partial(SynthProcess, "silence", Silence)),
        ("the piano, this process", piano),
        ("the piano, another process", partial(SynthProcess, "the piano", piano)),
    ]
    rows: list[list[object]] = []
    for name, open_it in ways:
        synth = open_it()
        try:
            spent = 1000 * _spent(synth, round(seconds / BLOCK_S))
        finally:
            synth.close()
        figures = [np.median(spent), *np.quantile(spent, [0.95, 0.99]), spent.max()]
        rows.append([name, *(f"{figure:.2f}" for figure in figures)])
    columns = ["median, ms", "95 %", "99 %", "longest"]
    return markdown([f"a block of {1000 * BLOCK_S:g} ms", *columns], rows)


def _spent(synth: Synth, n_blocks: int) -> NDArray[np.float64]:
    """Return the seconds that each block took, one begun every ``BLOCK_S``."""
    n = round(BLOCK_S * SAMPLE_RATE)
    spent = []
    begun = time.perf_counter()
    for k in range(WARM_BLOCKS + n_blocks):
        time.sleep(max(0.0, begun + k * BLOCK_S - time.perf_counter()))
        key = 48 + k // NOTE_EVERY % 24
        messages = [(0, (0x90, key, 80))] if k % NOTE_EVERY == 0 else []
        start = time.perf_counter()
        synth.render(n, messages)
        spent.append(time.perf_counter() - start)
    return np.array(spent[WARM_BLOCKS:])
