"""Measures whether a song's format changes its cover.

ffmpeg makes each format of one song. Covers are free, since on the beat much of them is what a
pianist would play, whatever was heard. They are compared with those of the WAV that ffmpeg makes of
each file, which has the codec's losses too, and with those of the song's own, less its delay.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.audio.decoding.decoder import Decoder
from engine.audio.decoding.ffmpeg import FfmpegDecoder
from engine.audio.decoding.opening import open_song
from engine.audio.decoding.pyav import PyAvDecoder
from engine.audio.files.file_source import FileSource
from engine.core.errors import DeviceError
from engine.core.settings import ModelSettings
from engine.cover.stream import open_pipeline
from engine.model.pipeline import Pipeline
from engine.system.paths import system_path
from livecover.bench import markdown
from livecover.bench.robust import Onsets, onset_f1, onsets

NEAR_S = 0.1
_KBPS = ("-b:a", "256k")
_PICTURE = ("-f", "lavfi", "-i", "color=size=64x64:rate=10", "-shortest")
FORMATS: dict[str, tuple[str, Sequence[str]]] = {
    "m4a, AAC": ("m4a", _KBPS),
    "m4a, Apple Lossless": ("m4a", ("-c:a", "alac")),
    "mp4 with a picture, AAC": ("mp4", (*_PICTURE, *_KBPS)),
    "webm, Opus": ("webm", _KBPS),
    "webm with a picture, Vorbis": ("webm", (*_PICTURE, "-c:a", "libvorbis", *_KBPS)),
    "wma": ("wma", _KBPS),
    "aiff": ("aiff", ()),
    "opus": ("opus", _KBPS),
    "mp3": ("mp3", _KBPS),
    "ogg, Vorbis": ("ogg", _KBPS),
    "flac": ("flac", ()),
    "aac (ADTS)": ("aac", _KBPS),
    "mkv, FLAC": ("mkv", ("-c:a", "flac")),
    "wv": ("wv", ()),
}
"""File endings, and options of ffmpeg, by what they are called in the table."""


def table(model: str, song: Path, seconds: float) -> str:
    """Return F1 of onsets of a song's first seconds in each format, against those from WAV.

    Raises DeviceError.
    """
    if shutil.which("ffmpeg") is None:
        raise DeviceError(
            "this benchmark needs the program ffmpeg; run scripts/install-system test"
        )
    pipeline = open_pipeline(ModelSettings(model))
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory(prefix="livecover-") as folder:
        wav = Path(folder) / "song.wav"
        _convert(song, wav, ("-t", f"{seconds:g}"))
        expected, again = _onsets(pipeline, wav, []), wav.with_name("again.wav")
        for name, (ending, options) in FORMATS.items():
            path = wav.with_suffix(f".{ending}")
            _convert(wav, path, options)
            _convert(path, again, ("-vn",))
            decoded = _onsets(pipeline, again, [])
            for decoder in (PyAvDecoder(), FfmpegDecoder()):
                source = open_song(path, False, decoders=[decoder])
                is_plain = isinstance(source, FileSource)
                found = _onsets(pipeline, path, [decoder])
                shift = _shift(found, expected)
                moved = [(time - shift, pitch) for time, pitch in found]
                f1s = [onset_f1(found, decoded), onset_f1(moved, expected)]
                reader = "libsndfile" if is_plain else decoder.name
                rows.append([name, reader, len(found), *(f"{f1:.3f}" for f1 in f1s)])
                rows[-1].append(f"{1000 * shift:.0f}")
                if is_plain:
                    break
    of_wav = f"F1 to the {len(expected)} of the song's WAV"
    headings = ["format", "read by", "notes", "F1 to those of ffmpeg's WAV of it", of_wav]
    return markdown([*headings, "later, ms"], rows)


def _shift(found: Onsets, expected: Onsets) -> float:
    """Return the seconds by which a codec lets the song begin later."""
    offs = [
        min((time - at for at, key in expected if key == pitch), key=abs, default=NEAR_S)
        for time, pitch in found
    ]
    near = [off for off in offs if abs(off) < NEAR_S]
    return float(np.median(near)) if near else 0.0


def _convert(song: Path, path: Path, options: Sequence[str]) -> None:
    given = ["ffmpeg", "-v", "error", "-y", "-i", system_path(song)]
    subprocess.run([*given, *options, system_path(path)], check=True)


def _onsets(pipeline: Pipeline, path: Path, decoders: Sequence[Decoder]) -> Onsets:
    source = open_song(path, False, decoders=decoders)
    return onsets(pipeline, np.asarray(source.part(0.0)), source.sample_rate)
