"""How much memory a long song takes: covered, arranged, and quantized, each by the real command."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import soundfile

from engine.core.errors import DeviceError
from livecover.bench import markdown

UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in what the system calls ru_maxrss


def peaks(model: str, song: Path, minutes: Sequence[float]) -> str:
    """Return the most memory that each command takes for ``song``, repeated for ``minutes``."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="livecover-") as folder:
        for length in minutes:
            sound, take = Path(folder) / "song.flac", Path(folder) / "song.mid"
            _repeat(song, sound, 60 * length)
            given = ["--model", model, "--input", str(sound)]
            score = str(take.with_name("score.mid")), str(take.with_name("score.musicxml"))
            found = [
                _peak(*given, "--midi-out", str(take)),
                _peak(*given, "--arranger", "--midi-out", score[0], "--midi-out", score[1]),
                _peak("quantize", str(take)),
            ]
            rows.append([f"{length:g}", *(f"{megabytes:.0f}" for megabytes in found)])
    return markdown(["minutes", "cover, MB", "--arranger, MB", "quantize, MB"], rows)


def _repeat(song: Path, out: Path, seconds: float) -> None:
    """Write a song again and again until it is as long."""
    audio, sample_rate = soundfile.read(song, dtype="int16", always_2d=True)
    with soundfile.SoundFile(out, "w", sample_rate, audio.shape[1], subtype="PCM_16") as file:
        left = round(seconds * sample_rate)
        while left > 0:
            file.write(audio[:left])
            left -= len(audio)


def _peak(*arguments: str) -> float:
    """Return the most megabytes that a command took. Raises DeviceError where it fails."""
    if not hasattr(os, "wait4"):
        raise DeviceError("this needs a system that counts a program's memory: not Windows")
    command = [sys.executable, "-m", "livecover", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise DeviceError(f"{' '.join(command)} ended with {process.returncode}")
    return float(usage.ru_maxrss * UNIT / 1e6)
