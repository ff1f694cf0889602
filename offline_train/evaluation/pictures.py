"""Draws a song and its covers, one above the other on one axis of time and pitch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from models.spec import MIN_PITCH, N_PITCHES
from offline_train.evaluation.songs.reference_song import SAMPLE_RATE, ReferenceSong

Array = NDArray[np.float32]

PICTURE_S = 30.0
N_FFT, HOP = 4096, 320
BINS_PER_SEMITONE = 3
RANGE_DB = 60.0
COLOURS = {"melody": "#d1361b", "accompaniment": "#1763b0"}
WIDTH, PANEL_HEIGHT, DPI = 16.0, 2.6, 90


def draw_rolls(path: Path, song: ReferenceSong, covers: Mapping[str, Array]) -> None:
    """Write a PNG: the song's sound, the human's notes if known, and each system's notes (n, 5).

    Half a minute from the middle is shown; covers with equal notes share a panel.
    """
    start = max(song.seconds - PICTURE_S, 0.0) / 2
    panels = _panels(song, covers)
    figure = Figure((WIDTH, PANEL_HEIGHT * (1 + len(panels))), dpi=DPI, layout="constrained")
    axes = figure.subplots(1 + len(panels), 1, sharex=True, sharey=True)
    _draw_sound(axes[0], song, start)
    axes[0].set_title(f"{song.name}: the song", loc="left", fontsize=10)
    for axis, (title, notes) in zip(axes[1:], panels.items(), strict=True):
        draw_notes(axis, notes)
        axis.set_title(title, loc="left", fontsize=10)
        for beat in () if song.beats is None else song.beats:
            axis.axvline(float(beat), color="0.85", lw=0.6, zorder=0)
    axes[0].set_xlim(start, start + min(PICTURE_S, song.seconds))
    axes[0].set_ylim(MIN_PITCH + 3, MIN_PITCH + N_PITCHES - 12)
    octaves = range(24, 97, 12)
    axes[0].set_yticks(octaves, [f"C{pitch // 12 - 1}" for pitch in octaves])
    axes[-1].set_xlabel("seconds")
    legend = [Patch(color=colour, label=part) for part, colour in COLOURS.items()]
    axes[1].legend(handles=legend, loc="upper right", fontsize=8)
    figure.savefig(path)


def draw_notes(axis: Any, notes: Array) -> None:
    """Draw notes (n, 5) as bars, darker the louder, the melody in its own colour and on top."""
    notes = notes[np.argsort(notes[:, 4], kind="stable")]
    boxes = [Rectangle((on, pitch - 0.4), off - on, 0.8) for on, off, pitch in notes[:, :3]]
    colours = [
        to_rgba(
            COLOURS["melody" if is_melody > 0.5 else "accompaniment"],
            0.3 + 0.7 * min(float(velocity) / 127, 1.0),
        )
        for velocity, is_melody in notes[:, 3:5]
    ]
    axis.add_collection(PatchCollection(boxes, facecolor=colours, edgecolor="white", lw=0.3))


def _panels(song: ReferenceSong, covers: Mapping[str, Array]) -> dict[str, Array]:
    """Return title -> notes, the truth first; systems that play the same are named together."""
    panels = {} if song.notes is None else {"human": song.notes}
    same: dict[bytes, str] = {}
    for name, notes in covers.items():
        key = np.round(notes, 2).tobytes()
        if name == "human":
            continue
        if key in same:
            panels[f"{same[key]}; {name}"] = panels.pop(same[key])
            same[key] += f"; {name}"
        else:
            panels[name], same[key] = notes, name
    return panels


def _draw_sound(axis: Any, song: ReferenceSong, start: float) -> None:
    """Draw the spectrogram on an axis of pitch, in dB below its loudest."""
    first = int(start * SAMPLE_RATE)
    samples = song.samples[first : first + round(PICTURE_S * SAMPLE_RATE)]
    padded = np.pad(samples, N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(N_FFT).astype(np.float32))).T
    pitches = MIN_PITCH + np.arange(N_PITCHES * BINS_PER_SEMITONE) / BINS_PER_SEMITONE
    bins = np.round(440 * 2 ** ((pitches - 69) / 12) * N_FFT / SAMPLE_RATE).astype(int)
    levels = 20 * np.log10(np.maximum(spectrum[bins] / max(spectrum.max(), 1e-6), 1e-9))
    extent = (start, start + len(samples) / SAMPLE_RATE, MIN_PITCH, MIN_PITCH + N_PITCHES)
    axis.imshow(
        np.maximum(levels, -RANGE_DB), origin="lower", aspect="auto", cmap="Greys", extent=extent
    )
