"""The papers' pictures: curves of validation, and piano rolls one above the other."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.spec import MIN_PITCH
from offline_train.studies.transcription.epochs import Metrics

COLOURS = ("#444444", "#d1361b", "#1763b0")
DPI = 90


def draw_curves(
    path: Path, panels: Mapping[str, Mapping[str, Sequence[Metrics]]], label: str
) -> None:
    """Write a PNG: for each target note F1 by epoch, from nothing and after each transfer."""
    figure = Figure((5.2 * len(panels), 3.6), dpi=DPI, layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (target, curves) in zip(axes, panels.items(), strict=True):
        for colour, (name, lines) in zip(COLOURS, curves.items(), strict=False):
            points = [(line["epoch"], line["note_f1"]) for line in lines if "note_f1" in line]
            title = name.replace("-to-", " → ") if "-to-" in name else f"{name}, from nothing"
            axis.plot(*zip(*points, strict=True), color=colour, label=title, marker=".", ms=4)
        axis.set_title(target, loc="left", fontsize=10)
        axis.set_xlabel("epochs")
        axis.set_ylim(0, 1)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    axes[0].set_ylabel(label)
    figure.savefig(path)


def draw_rolls(path: Path, rolls: Mapping[str, NDArray[np.float32]], frame_s: float) -> None:
    """Write a PNG: rolls (T, 88) of probabilities, one above the other on one axis of time."""
    figure = Figure((12, 1.7 * len(rolls)), dpi=DPI, layout="constrained")
    axes = figure.subplots(len(rolls), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (title, roll) in zip(axes, rolls.items(), strict=True):
        extent = (0.0, len(roll) * frame_s, MIN_PITCH - 0.5, MIN_PITCH + roll.shape[1] - 0.5)
        axis.imshow(
            roll.T, origin="lower", aspect="auto", cmap="Greys", vmin=0, vmax=1, extent=extent
        )
        axis.set_title(title, loc="left", fontsize=9)
        axis.set_yticks(range(36, 97, 24), [f"C{pitch // 12 - 1}" for pitch in range(36, 97, 24)])
    axes[-1].set_xlabel("seconds")
    figure.savefig(path)
