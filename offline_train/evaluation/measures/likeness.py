"""How much a cover sounds like its song: Qmax and melody chroma accuracy.

Qmax (Serra, Serra and Andrzejak, New Journal of Physics 11, 2009) by AMT-APC's protocol
(Section IV-C): notes under 0.08 s are dropped, the cover is played by FluidSynth with FluidR3 GM,
and both sounds become harmonic pitch class profiles; essentia holds the port of ChromaCoverID
that the paper computes with, and we give it the same parameters (44.1 kHz, frames of 4096 every
2048, 8 harmonics, 100 to 5000 Hz, whitened; 9 frames stacked, 9.5% nearest, 0.5 for each
disruption; transposed to the best key). The figure is sqrt(n) / Qmax of n frames, so lower is
more alike, and excerpts give larger figures than whole songs: compare it on the same songs only.

Melody chroma accuracy (Choi and Lee, "Pop2Piano", ICASSP 2023, and its public code): mir_eval's
raw chroma accuracy of the cover's highest sounding note against the song's melody, every 1024
samples of 44.1 kHz. Pop2Piano takes the melody from the singer's f0; here it is the score's. Beside
it, the share of melody frames whose pitch class sounds anywhere in the cover.

essentia (AGPL-3) comes with the extra ``evaluate`` and is imported only here.
"""

from importlib import import_module
from importlib.util import find_spec

import mir_eval
import numpy as np
import soxr
from numpy.typing import NDArray

from engine.core.errors import DataError
from engine.system.extras import needs
from offline_train.corpora import Note
from offline_train.evaluation.measures.transcription import sounding
from offline_train.synthesis.bands.band import Player
from offline_train.synthesis.render import fluidsynth, players_to_midi

Notes = NDArray[np.float32]
Audio = NDArray[np.float32]

RATE = 44100
FRAME, HOP = 4096, 2048
MIN_HZ, MAX_HZ = 100.0, 5000.0
N_HARMONICS = 8
N_PEAKS = 1000
STACK_FRAMES = 9
NEAREST = 0.095
DISRUPTION = 0.5
SHORTEST_NOTE_S = 0.08
SOUNDFONT = "FluidR3_GM.sf2"
MELODY_HOP_S = 1024 / 44100


def has_essentia() -> bool:
    """Return whether Qmax can be computed here."""
    return find_spec("essentia") is not None


def hpcp(samples: Audio, sample_rate: int) -> NDArray[np.float32]:
    """Return harmonic pitch class profiles (T, 12), each with maximum 1, of mono samples (n,).

    Raises
    ------
    DataError
        If essentia is not installed.
    """
    if not has_essentia():
        raise DataError(needs("Qmax needs essentia", "evaluate"))
    essentia, es = (import_module(name) for name in ("essentia", "essentia.standard"))
    essentia.log.infoActive = False
    essentia.log.warningActive = False
    window, spectrum = es.Windowing(type="blackmanharris62"), es.Spectrum()
    peaks = es.SpectralPeaks(
        magnitudeThreshold=0,
        minFrequency=MIN_HZ,
        maxFrequency=MAX_HZ,
        maxPeaks=N_PEAKS,
        orderBy="frequency",
        sampleRate=RATE,
    )
    whitening = es.SpectralWhitening(maxFrequency=MAX_HZ, sampleRate=RATE)
    profile = es.HPCP(
        sampleRate=RATE,
        minFrequency=MIN_HZ,
        maxFrequency=MAX_HZ,
        harmonics=N_HARMONICS,
        nonLinear=False,
        size=12,
    )
    rows = []
    sound = np.ascontiguousarray(soxr.resample(samples, sample_rate, RATE), np.float32)
    for frame in es.FrameGenerator(sound, frameSize=FRAME, hopSize=HOP):
        magnitudes = spectrum(window(frame))
        frequencies, heights = peaks(magnitudes)
        rows.append(profile(frequencies, whitening(magnitudes, frequencies, heights)))
    return np.array(rows, np.float32).reshape(-1, 12)


def qmax(song: NDArray[np.float32], cover: NDArray[np.float32]) -> float | None:
    """Return sqrt(n) / Qmax of two profiles (T, 12), (n, 12); None if one is silent or too short.

    In numpy, which is forty times as fast as essentia's own and agrees with it (see the test).
    """
    if min(len(song), len(cover)) <= STACK_FRAMES or not song.any() or not cover.any():
        return None
    shift = int(np.argmax([song.sum(0) @ np.roll(cover.sum(0), k) for k in range(12)]))
    recurrence = cross_recurrence(song, np.roll(cover, shift, axis=1))
    longest = longest_diagonal(recurrence)
    return float(np.sqrt(recurrence.shape[1]) / longest) if longest > 0 else None


def cross_recurrence(song: NDArray[np.float32], cover: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return (T - 9, n - 9): whether stacked frames are among each other's 9.5% nearest."""
    stacks = [
        np.stack([f[k : len(f) - STACK_FRAMES + k] for k in range(STACK_FRAMES)], 1).reshape(
            len(f) - STACK_FRAMES, -1
        )
        for f in (song, cover)
    ]
    squares = [(stack**2).sum(1) for stack in stacks]
    distances = squares[0][:, None] + squares[1][None] - 2 * stacks[0] @ stacks[1].T
    distances = np.sqrt(np.maximum(distances, 0))
    near: NDArray[np.bool_] = distances <= np.percentile(distances, 100 * NEAREST, 1)[:, None]
    near &= distances <= np.percentile(distances, 100 * NEAREST, 0)[None]
    return near


def longest_diagonal(recurrence: NDArray[np.bool_]) -> float:
    """Return Qmax of a recurrence plot (T, n): its longest curved diagonal, less disruptions."""
    n = recurrence.shape[1]
    before: NDArray[np.float64] = np.zeros(n)  # row i - 2
    last: NDArray[np.float64] = np.zeros(n)
    longest = 0.0
    for i in range(2, len(recurrence)):
        row = np.zeros(n)
        steps = np.stack([last[1:-1], before[1:-1], last[:-2]])
        disrupted = np.maximum(steps.max(0) - DISRUPTION, 0.0)
        row[2:] = np.where(recurrence[i, 2:], steps.max(0) + 1, disrupted)
        before, last = last, row
        longest = max(longest, float(row.max(initial=0.0)))
    return longest


def play_piano(notes: Notes) -> Audio:
    """Return the sound (n,) at 44.1 kHz of notes (k, >= 4) of 0.08 s or more on FluidR3's piano."""
    kept = [
        Note(float(on), float(off), int(pitch), int(np.clip(round(float(velocity)), 1, 127)))
        for on, off, pitch, velocity in notes[:, :4]
        if off - on >= SHORTEST_NOTE_S
    ]
    if not kept:
        return np.zeros(0, np.float32)
    midi = players_to_midi([Player("piano", 0, sorted(kept))])
    return np.asarray(fluidsynth(midi, SOUNDFONT, RATE).mean(1), np.float32)


def cover_qmax(song_profile: NDArray[np.float32], notes: Notes) -> float | None:
    """Return the Qmax figure of a cover's notes against the song's profile (T, 12)."""
    sound = play_piano(notes)
    return qmax(song_profile, hpcp(sound, RATE)) if len(sound) else None


def melody_chroma(melody: Notes, cover: Notes) -> tuple[float, float] | None:
    """Return (raw chroma accuracy of the top voice, share of the melody sounding in any voice).

    ``melody`` (m, >= 4) is the song's, ``cover`` (n, >= 4) the piano's. None without a melody.
    """
    if not len(melody):
        return None
    n_frames = int(float(melody[:, 1].max()) / MELODY_HOP_S) + 1
    true, played = (sounding(notes, n_frames, MELODY_HOP_S) for notes in (melody, cover))
    if not true.any():
        return None
    if not played.any():
        return 0.0, 0.0
    times = np.arange(n_frames) * MELODY_HOP_S
    voices = mir_eval.melody.to_cent_voicing(times, _top_hz(true), times, _top_hz(played))
    accuracy = float(mir_eval.melody.raw_chroma_accuracy(*voices))
    wanted = true.shape[1] - 1 - true[:, ::-1].argmax(1)
    sung = true.any(1)
    octaves = np.stack([played[:, k::12].any(1) for k in range(12)], 1)
    return accuracy, float(octaves[sung, wanted[sung] % 12].mean())


def _top_hz(cells: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the highest sounding key of cells (T, 88) in hertz, 0 where nothing sounds."""
    top = cells.shape[1] - 1 - cells[:, ::-1].argmax(1)
    hertz: NDArray[np.float64] = np.where(
        cells.any(1), mir_eval.util.midi_to_hz(top.astype(float) + 21), 0.0
    )
    return hertz
