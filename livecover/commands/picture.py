"""Draws a cover: its piano roll over the song's spectrogram.

Times are seconds, pitches MIDI numbers. matplotlib and soxr come with the extra ``demo`` and are
imported only when something is drawn.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import LiveCoverError
from engine.core.note_tracker import whole_notes
from engine.core.notes import NoteEvent, Part
from engine.system.extras import needs
from models.spec import MIN_PITCH, N_PITCHES

SAMPLE_RATE = 16000  # of the spectrogram
N_FFT, HOP = 4096, 320
BINS_PER_SEMITONE = 3
RANGE_DB = 60.0  # below the loudest; what is softer is white
COLOURS: dict[Part, str] = {"melody": "#d1361b", "accompaniment": "#1763b0"}
SIZE_INCHES = (16.0, 8.0)
DPI = 100


def pitch_spectrogram(mono: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Return levels (bins, T) in dB below the loudest, 0 to -RANGE_DB, of a waveform (n,).

    Bin k is centred on pitch ``MIN_PITCH + k / BINS_PER_SEMITONE``, frame t on second t HOP /
    SAMPLE_RATE. The spectrum is interpolated in frequency.
    """
    import soxr

    samples = np.pad(soxr.resample(mono, sample_rate, SAMPLE_RATE), N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(samples, N_FFT)[::HOP]
    window = np.hanning(N_FFT).astype(np.float32)
    pitches = MIN_PITCH + np.arange(N_PITCHES * BINS_PER_SEMITONE) / BINS_PER_SEMITONE
    place = 440 * 2 ** ((pitches - 69) / 12) * N_FFT / SAMPLE_RATE
    low = place.astype(int)
    share = (place - low).astype(np.float32)
    levels = np.empty((len(pitches), len(frames)), np.float32)
    for t, frame in enumerate(frames):
        spectrum = np.abs(np.fft.rfft(frame * window))
        levels[:, t] = (1 - share) * spectrum[low] + share * spectrum[low + 1]
    loudest = max(float(levels.max(initial=0.0)), 1e-6)
    levels_db = 20 * np.log10(np.maximum(levels / loudest, 1e-9))
    return np.asarray(np.maximum(levels_db, -RANGE_DB), np.float32)


def check_matplotlib() -> None:
    """Raise LiveCoverError, saying how to get it, if matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise LiveCoverError(needs("drawing the cover needs matplotlib", "demo")) from error


def draw_cover(
    path: Path,
    mono: NDArray[np.float32],
    sample_rate: int,
    events: Sequence[NoteEvent],
    title: str,
) -> None:
    """Write a PNG of a song's waveform (n,) and the notes of its cover.

    Raises
    ------
    LiveCoverError
        If matplotlib is missing.
    """
    check_matplotlib()
    from matplotlib.collections import PatchCollection
    from matplotlib.colors import to_rgba
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch, Rectangle

    figure = Figure(figsize=SIZE_INCHES, dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    half_bin, half_frame = 0.5 / BINS_PER_SEMITONE, 0.5 * HOP / SAMPLE_RATE
    levels = pitch_spectrogram(mono, sample_rate)
    end = levels.shape[1] * HOP / SAMPLE_RATE - half_frame
    top = MIN_PITCH + N_PITCHES - half_bin
    extent = (-half_frame, end, MIN_PITCH - half_bin, top)
    axes.imshow(levels, origin="lower", aspect="auto", cmap="Greys", extent=extent, alpha=0.75)
    notes = sorted(whole_notes(events), key=lambda note: note.part)  # the melody on top
    boxes = [Rectangle((n.onset, n.pitch - 0.4), n.offset - n.onset, 0.8) for n in notes]
    colours = [to_rgba(COLOURS[n.part], 0.35 + 0.65 * n.velocity / 127) for n in notes]
    axes.add_collection(PatchCollection(boxes, facecolor=colours, edgecolor="white", lw=0.3))
    axes.set_xlim(0, len(mono) / sample_rate)
    axes.set_ylim(MIN_PITCH - 0.5, MIN_PITCH + N_PITCHES - 0.5)
    octaves = range(24, 109, 12)
    axes.set_yticks(octaves, [f"C{pitch // 12 - 1}" for pitch in octaves])
    axes.set_xlabel("seconds")
    axes.set_ylabel("pitch")
    axes.set_title(title)
    legend = [Patch(color=colour, label=f"piano, {part}") for part, colour in COLOURS.items()]
    axes.legend(handles=[*legend, Patch(color="0.5", label="song")], loc="upper right")
    figure.savefig(path)
