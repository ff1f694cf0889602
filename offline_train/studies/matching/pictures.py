"""Draws what retrieval finds: recall over k, and snippets beside what was found for them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from offline_train.studies.matching.snippets import Snippets
from offline_train.studies.matching.views import WINDOW_S

N_SHOWN = 3
PITCHES = (28, 100)


def draw_recall(path: Path, ranks: Mapping[str, NDArray[np.int64]]) -> None:
    """Write a PNG: the share of queries (N,) whose partner is among the k nearest, by row."""
    figure = Figure((8, 5), dpi=90, layout="constrained")
    axis = figure.subplots()
    for text, found in ranks.items():
        k = np.arange(1, len(found) + 1)
        axis.plot(k, np.searchsorted(np.sort(found), k, side="right") / len(found), label=text)
    n = max(len(found) for found in ranks.values())
    axis.plot(np.arange(1, n + 1), np.arange(1, n + 1) / n, "k:", label="chance")
    axis.set(xscale="log", xlabel="k", ylabel="partner among the k nearest", ylim=(0, 1))
    axis.legend(fontsize=8)
    figure.savefig(path)


def draw_snippets(
    path: Path,
    snippets: Snippets,
    nearest: NDArray[np.int64],
    decoded: NDArray[np.bool_] | None,
) -> None:
    """Write a PNG: sound, its notes, the nearest other snippet, and what the decoder writes."""
    titles = ["sound", "its notes", "nearest other"] + ([] if decoded is None else ["decoder"])
    n = min(N_SHOWN, len(nearest))
    figure = Figure((3.2 * len(titles), 2.4 * n), dpi=90, layout="constrained")
    axes = figure.subplots(n, len(titles), squeeze=False)
    rolls = snippets.rolls.numpy()
    for row in range(n):
        shown = [snippets.sounds[row].numpy(), rolls[row], rolls[nearest[row]]]
        shown += [] if decoded is None else [decoded[row]]
        for column, image in enumerate(shown):
            axis = axes[row, column]
            extent = (0.0, WINDOW_S, 0.0, float(len(image)))
            axis.imshow(image, origin="lower", aspect="auto", extent=extent, cmap="magma")
            if column:
                axis.set_ylim(*PITCHES)
            if row == 0:
                axis.set_title(titles[column], fontsize=10)
    figure.savefig(path)
