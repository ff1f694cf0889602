"""How much memory a long song takes: covered, arranged, quantized, evaluated, by real commands."""

import importlib.util
import os
import shutil
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
    """Return the most memory that each command takes for ``song``, repeated for ``minutes``.

    The evaluation is left out where training is not installed.
    """
    rows = []
    with tempfile.TemporaryDirectory(prefix="livecover-") as folder:
        for length in minutes:
            songs, take = Path(folder) / f"{length:g}", Path(folder) / "song.mid"
            songs.mkdir()
            sound = songs / "song.flac"
            _repeat(song, sound, 60 * length)
            given = ["--model", model, "--input", str(sound)]
            score = str(take.with_name("score.mid")), str(take.with_name("score.musicxml"))
            found = [
                _peak(*given, "--midi-out", str(take)),
                _peak(*given, "--arranger", "--midi-out", score[0], "--midi-out", score[1]),
                _peak("quantize", str(take)),
                *_evaluated(model, songs),
            ]
            rows.append([f"{length:g}", *(f"{megabytes:.0f}" for megabytes in found)])
            shutil.rmtree(songs)
    what = ["minutes", "cover, MB", "--arranger, MB", "quantize, MB", "evaluate, MB"]
    return markdown(what[: len(rows[0])], rows)


def _evaluated(model: str, songs: Path) -> list[float]:
    """Return the most memory of an evaluation of whole songs, if it is installed."""
    if not all(importlib.util.find_spec(name) for name in ("offline_train", "mir_eval", "soxr")):
        return []
    given = ["--rung", "folder", "--recordings", str(songs), "--cache", str(songs / "cache")]
    alone = ["--excerpt", "0", "--baselines", "--without-qmax"]
    return [_peak("evaluate", model, *given, *alone, program="offline_train")]


def _repeat(song: Path, out: Path, seconds: float) -> None:
    """Write a song repeatedly, up to that length."""
    audio, sample_rate = soundfile.read(song, dtype="int16", always_2d=True)
    with soundfile.SoundFile(out, "w", sample_rate, audio.shape[1], subtype="PCM_16") as file:
        left = round(seconds * sample_rate)
        while left > 0:
            file.write(audio[:left])
            left -= len(audio)


def _peak(*arguments: str, program: str = "livecover") -> float:
    """Return the most megabytes that a command took. Raises DeviceError where it fails."""
    if not hasattr(os, "wait4"):
        raise DeviceError("this needs a system that counts a program's memory: not Windows")
    command = [sys.executable, "-m", program, *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise DeviceError(f"{' '.join(command)} ended with {process.returncode}")
    return float(usage.ru_maxrss * UNIT / 1e6)
