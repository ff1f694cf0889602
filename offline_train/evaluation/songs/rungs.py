"""The ladder: on what a model is evaluated, from sounds of training to real recordings.

======  =============================================================================
a       POP909 in sound sources and grooves of training
b       POP909 in a sound source and grooves kept from training
c       as b, the melody sung by a voice kept from training, mastered hard, as MP3
e       as b, another band and synthesizer, which no training and no other rung has
d       real recordings without truth, kept from training
piano   solo piano: GiantMIDI pieces kept from training, on the Salamander piano
folder  any sound files, ``NAME.mid`` beside ``NAME.wav`` being its human cover, or shards
sung    recordings with singers, ``NAME.txt`` beside ``NAME.wav`` saying what is sung
======  =============================================================================

Every choice of a rendering comes from a seed of the song's own. Not here: what is measured
(``scoring``), the voice and mastering of rung c (``sung_bands``), rung e's band
(``other_bands``), files (``recordings``).
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DataError
from engine.system.workers import worker_pool
from offline_train.corpora import Song, read_song, split_ids
from offline_train.corpora.folder import GiantMidi
from offline_train.corpora.notes import Pedal, with_pedal
from offline_train.corpora.pop909 import Pop909
from offline_train.evaluation.songs.other_bands import render_other
from offline_train.evaluation.songs.recordings import (
    LONGEST_S,
    SUNG_S,
    Recording,
    find_recordings,
    read_recording,
    read_sung_recording,
)
from offline_train.evaluation.songs.reference_song import (
    SAMPLE_RATE,
    ReferenceSong,
    cached_song,
    log,
)
from offline_train.evaluation.songs.sung_bands import render_sung
from offline_train.synthesis.band_renders import cut, render_band, waveform
from offline_train.synthesis.pianos.salamander import play_piano
from offline_train.synthesis.render import RENDER_RATE

Array = NDArray[np.float32]
Rung = Literal["a", "b", "c", "e", "d", "piano", "folder", "sung"]
RENDERED: tuple[Rung, ...] = ("a", "b", "c", "e")
"""Rungs whose songs are POP909's, played by a band."""
OF_FILES: tuple[Rung, ...] = ("d", "folder", "sung")
"""Rungs whose songs are the user's own files."""


class Embedded(Protocol):
    """A song's sound in a joint embedding of sound and notes."""

    def distance(self, notes: Array) -> float | None:
        """Return how far notes (n, >= 3) lie from it, 0 to 2; None if it is too short."""


Embed = Callable[[Array], Embedded]
"""From a song's samples (n,) at 16 kHz; it can be sent to another process."""


@dataclass(frozen=True, slots=True)
class EvaluateConfig:
    """What is covered; ``cache`` keeps the rendered audio, a folder for each rung."""

    data: Path
    cache: Path
    split: str = "test"
    rung: Rung = "b"
    excerpt_s: float = 90.0  # 0 takes whole songs, of one longer than LONGEST_S its middle
    limit: int = 0  # 0 takes every song
    workers: int = 1
    seed: int = 7
    recordings: Path | None = None  # of rungs of files: shards, or sound files
    embed: Embed | None = None  # a joint embedding to measure with
    is_stereo: bool = False  # whether rendered bands are: files always are as they are

    @property
    def longest_s(self) -> float:
        """Seconds of a song that are used at most."""
        return min(self.excerpt_s or LONGEST_S, LONGEST_S)

    @property
    def folder(self) -> Path:
        """Where this rung's songs are kept; elsewhere once a user's own have changed."""
        source = f"{self.split}-" if self.rung in RENDERED else ""
        if self.rung in OF_FILES:
            source = f"{zlib.crc32(self._source().encode()):08x}-"
        seconds = SUNG_S if self.rung == "sung" else self.excerpt_s
        stereo = "-stereo" if self.is_stereo or self.rung in OF_FILES else ""
        return self.cache / f"{self.rung}-{source}{seconds:g}-seed{self.seed}{stereo}"

    def _source(self) -> str:
        if self.rung == "d" or self.recordings is None or not self.recordings.is_dir():
            return str(self.recordings)
        files = sorted(self.recordings.iterdir())
        return f"{self.recordings} {[(f.name, f.stat().st_mtime_ns) for f in files]}"


class GiantMidiSplit(NamedTuple):
    """Ids of GiantMIDI's pieces, each list sorted by name."""

    train: list[str]
    held_out: list[str]


def giantmidi_split(data: Path) -> GiantMidiSplit:
    """Return which pieces below ``data/giantmidi`` may be trained on and which are kept for tests.

    Of the pieces sorted by name every fifth is kept, from the first: the corpus's own test split.
    Raises DataError if there are none.
    """
    corpus = GiantMidi(data / "giantmidi")
    train = sorted([*corpus.ids("train"), *corpus.ids("valid")])
    split = GiantMidiSplit(train, sorted(corpus.ids("test")))
    if not split.held_out:
        raise DataError(
            f"expected MIDI files in {data / 'giantmidi'}; GiantMIDI-Piano is published at "
            "https://github.com/bytedance/GiantMIDI-Piano (CC BY 4.0)"
        )
    return split


def song_names(config: EvaluateConfig) -> list[str]:
    """Return the names of the rung's songs, as many as ``limit`` allows. DataError if none."""
    if config.rung in RENDERED:
        names = split_ids(config.data, config.split)
    elif config.rung == "piano":
        names = giantmidi_split(config.data).held_out
    else:
        names = list(find_recordings(config.recordings, config.rung))
    return names[: config.limit or None]


def read_reference_song(config: EvaluateConfig, name: str) -> ReferenceSong:
    """Return one of the rung's songs, from the cache or made now. DataError if it is broken."""
    makers: dict[Rung, Callable[[EvaluateConfig, str], ReferenceSong]] = {
        "a": partial(_render_pop909, is_heard=True),
        "b": partial(_render_pop909, is_heard=False),
        "c": _render_sung,
        "e": _render_other,
        "d": _read_recording,
        "piano": _render_piano,
        "folder": _read_recording,
        "sung": _read_sung,
    }
    make = partial(makers[config.rung], config, name)
    return cached_song(config.folder, name, make)


def rendered_songs(config: EvaluateConfig) -> Iterator[ReferenceSong]:
    """Yield the rung's songs, rendering those that are not kept yet; a broken one is skipped."""
    names = song_names(config)
    with worker_pool(config.workers) as pool:
        for name, problem in zip(names, pool.map(partial(_keep, config), names), strict=True):
            if problem:
                log.warning("skipped %s: %s", name, problem)
            else:
                yield read_reference_song(config, name)


def _keep(config: EvaluateConfig, name: str) -> str:
    """Have the song on disk; return what is wrong with it."""
    try:
        read_reference_song(config, name)
    except DataError as error:
        return str(error)
    return ""


def reference_piece(config: EvaluateConfig, name: str) -> tuple[Song, list[Pedal]]:
    """Return what POP909 knows of a song, cut as it is evaluated, and its pedal."""
    song, start = _excerpt(config, name, _rng(config, name, config.rung == "a"))
    pedals = Pop909(config.data).read(name).pedals
    before = [pedal._replace(time=0.0) for pedal in pedals if pedal.time <= start]
    seconds = config.excerpt_s or song.duration
    inside = [pedal._replace(time=pedal.time - start) for pedal in pedals if pedal.time > start]
    return song, [*before[-1:], *(pedal for pedal in inside if pedal.time < seconds)]


def excerpt_start(config: EvaluateConfig, name: str) -> float:
    """Return where in a song of rungs of POP909, in seconds, what is evaluated begins."""
    return _excerpt(config, name, _rng(config, name, config.rung == "a"))[1]


def _rng(config: EvaluateConfig, name: str, is_heard: bool) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(f"{config.seed}/{name}/{is_heard}".encode()))


def _excerpt(config: EvaluateConfig, name: str, rng: np.random.Generator) -> tuple[Song, float]:
    """Return the song, cut at a place that ``rng`` draws, and where in it that is."""
    song = read_song(config.data / "pop909" / name)
    if not config.excerpt_s or song.duration <= config.excerpt_s:
        return song, 0.0
    start = float(rng.uniform(0, song.duration - config.excerpt_s))
    return cut(song, start, config.excerpt_s), start


def cover_notes(song: Song) -> Array:
    """Return the human cover, notes (n, 5)."""
    notes = [(*note, is_melody) for note, is_melody in song.cover()]
    return np.array(notes, np.float32).reshape(-1, 5)


def _known(song: Song, sound: Array) -> ReferenceSong:
    beats = np.array([beat.time for beat in song.beats])
    return ReferenceSong(song.song_id, sound, cover_notes(song), beats)


def _heard(config: EvaluateConfig, audio: Array) -> Array:
    """Return rendered audio (n, 2) as the rung's songs are: mono, or middle and side."""
    mono = waveform(audio, SAMPLE_RATE)
    if not config.is_stereo:
        return mono
    return np.stack([mono, waveform(audio * np.array([1, -1], np.float32), SAMPLE_RATE)], axis=1)


def _render_pop909(config: EvaluateConfig, name: str, is_heard: bool) -> ReferenceSong:
    rng = _rng(config, name, is_heard)
    song, _ = _excerpt(config, name, rng)
    audio, _ = render_band(song, rng, is_heard)
    return _known(song, _heard(config, audio))


def _render_sung(config: EvaluateConfig, name: str) -> ReferenceSong:
    """The excerpt and band of rung b, so that the two differ by voice and mastering alone."""
    rng = _rng(config, name, is_heard=False)
    song, _ = _excerpt(config, name, rng)
    voice_rng = np.random.default_rng(zlib.crc32(f"{config.seed}/{name}/sung".encode()))
    return _known(song, _heard(config, render_sung(song, rng, voice_rng)))


def _render_other(config: EvaluateConfig, name: str) -> ReferenceSong:
    """The excerpt of rung b."""
    song, _ = _excerpt(config, name, _rng(config, name, is_heard=False))
    rng = np.random.default_rng(zlib.crc32(f"{config.seed}/{name}/other".encode()))
    return _known(song, _heard(config, render_other(song, rng)))


def _render_piano(config: EvaluateConfig, name: str) -> ReferenceSong:
    """The truth holds a note for as long as key or pedal does, as piano transcription has it."""
    rng = np.random.default_rng(zlib.crc32(f"{config.seed}/{name}/piano".encode()))
    piece = GiantMidi(config.data / "giantmidi").read(name)
    seconds = min(config.longest_s, piece.duration)
    start = float(rng.uniform(0, piece.duration - seconds))
    end = start + seconds
    keys = [
        note._replace(onset=note.onset - start, offset=note.offset - start)
        for part in piece.parts
        for note in part.notes
        if start <= note.onset < end
    ]
    changes = sorted(pedal for part in piece.parts for pedal in part.pedals if pedal.time < end)
    pedals = [pedal._replace(time=max(pedal.time - start, 0.0)) for pedal in changes]
    samples = waveform(play_piano(keys, pedals, seconds, rng, RENDER_RATE), SAMPLE_RATE)
    rows = [
        (note.onset, min(note.offset, seconds), note.pitch, note.velocity, 0)
        for note in with_pedal(keys, pedals)
    ]
    return ReferenceSong(name, samples, np.array(rows, np.float32).reshape(-1, 5))


def _found(config: EvaluateConfig, name: str) -> Recording:
    return find_recordings(config.recordings, config.rung)[name]


def _read_recording(config: EvaluateConfig, name: str) -> ReferenceSong:
    return read_recording(name, _found(config, name), config.longest_s)


def _read_sung(config: EvaluateConfig, name: str) -> ReferenceSong:
    found = _found(config, name)
    assert isinstance(found, Path)
    return read_sung_recording(found)
