"""Renders MIDI files to audio with the program FluidSynth and a SoundFont, for the demo.

Audio is float32 (n, 2).
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.core.errors import DeviceError

Audio = NDArray[np.float32]

RENDER_RATE = 44100
PEAK = 0.9
FADE_S = 0.02  # at the end, where notes are cut off


def find_fluidsynth() -> str:
    """Return the program's path. Raises DeviceError saying how to get it."""
    program = shutil.which("fluidsynth")
    if program is None:
        raise DeviceError("expected the program fluidsynth: run scripts/install-system")
    return program


def render_piano(midi: Path, n_samples: int, sample_rate: int, soundfont: Path) -> Audio:
    """Return the sound (n_samples, 2) of a MIDI file, its peak at ``PEAK``.

    Raises
    ------
    DeviceError
        If FluidSynth is missing or fails; the message has its output.
    """
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "piano.wav"
        command = [find_fluidsynth(), "-ni", "-q", "-g", "0.6", "-r", str(RENDER_RATE)]
        command += ["-O", "float", "-F", str(wav), str(soundfont), str(midi)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not wav.is_file():
            said = " ".join(done.stderr.split())[-300:]
            raise DeviceError(f"fluidsynth could not play {midi} with {soundfont}: {said}")
        sound, _ = soundfile.read(wav, dtype="float32", always_2d=True)
    if sample_rate != RENDER_RATE:
        import soxr  # comes with the extra ``demo``

        sound = soxr.resample(sound, RENDER_RATE, sample_rate)
    piano = np.zeros((n_samples, 2), np.float32)
    piano[: len(sound)] = sound[:n_samples]
    n_fade = min(round(FADE_S * sample_rate), n_samples)
    piano[n_samples - n_fade :] *= np.linspace(1, 0, n_fade, dtype=np.float32)[:, None]
    return at_peak(piano)


def at_peak(sound: Audio) -> Audio:
    """Return sound scaled to a peak of ``PEAK``; silence stays."""
    peak = float(np.abs(sound).max(initial=0.0))
    return np.asarray(sound * (PEAK / peak), np.float32) if peak > 0 else sound


def side_by_side(song: Audio, piano: Audio) -> Audio:
    """Return (n, 2): the song (n, c) on the left channel, the piano (n, 2) on the right."""
    left, right = (at_peak(sound.mean(1, dtype=np.float32)) for sound in (song, piano))
    return np.stack([left, right], axis=1)
