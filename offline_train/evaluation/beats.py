"""The beat as livecover hears it: songs go through the tracker with true causality, and are scored.

A beat counts as it was told ``ahead`` seconds before it fell, from no more than had sounded by
then. Songs are POP909's rungs, or recordings with singers of which nobody knows the beat: there
those beats are taken for true on which two offline trackers agree (librosa's dynamic programming
and essentia's RhythmExtractor2013, extras), in songs where they agree mostly. Not here: the
figures (``measures.beats``).
"""

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.audio.files.file_source import SUFFIXES
from engine.beat.clock import BeatClock, ClockState
from engine.beat.tracker import BeatTracker
from engine.core.errors import ConfigError, DataError
from engine.model.frontend import load_frontend
from engine.signal.level import AutomaticGain
from engine.system.extras import needs
from offline_train.data.sound_files import SAMPLE_RATE, read_part
from offline_train.evaluation.measures.beats import (
    BeatScore,
    distances,
    f_measure,
    level,
)
from offline_train.evaluation.rungs import (
    EvaluateConfig,
    heard_piece,
    read_reference_song,
    song_names,
)

log = logging.getLogger(__name__)

Array = NDArray[np.float32]
Times = NDArray[np.float64]

AHEAD_S = 0.1
PUSH_FRAMES = 2
AGREEMENT = 0.8  # of the offline trackers, from which on a recording can be judged
ESSENTIA_LATE_S = 0.02  # against true beats of rendered songs, median
NEAR_S = 0.07


@dataclass(frozen=True, slots=True)
class KnownBeats:
    """A song and its beats; ``downbeats`` None: not known."""

    name: str
    samples: Array  # mono, 16 kHz
    beats: Times
    downbeats: Times | None


@dataclass(frozen=True, slots=True)
class ToldBeats:
    """Beats as they were told ahead, and when the clock first locked (seconds), if ever."""

    beats: Times
    downbeats: Times
    lock_s: float | None


class BeatTeller:
    """Asks a clock for each beat ``ahead`` seconds before it falls; what was told stays told."""

    def __init__(self, clock: BeatClock, ahead: float = AHEAD_S) -> None:
        self._clock, self._ahead = clock, ahead
        self._next: int | None = None
        self._told: list[tuple[float, bool]] = []
        self._lock_s: float | None = None

    def ask(self, now: float) -> None:
        """Note the beats that fall within ``ahead`` of ``now``."""
        clock = self._clock
        if clock.state is ClockState.LOST:
            return
        if self._lock_s is None:
            self._lock_s = now
        first = math.ceil(clock.position(now))
        self._next = first if self._next is None else max(self._next, first)
        while (at := clock.time_of(self._next)) <= now + self._ahead:
            self._told.append((at, clock.beat_in_bar(self._next) == 0))
            self._next += 1

    def told(self) -> ToldBeats:
        """Return what was told."""
        times = np.array([at for at, _ in self._told])
        is_down = np.array([down for _, down in self._told], bool)
        return ToldBeats(times, times[is_down], self._lock_s)


def features_of(samples: Array, tracker: BeatTracker) -> Array:
    """Return the features (T, F) of samples (n,), at the level that a model would hear."""
    frontend = load_frontend(tracker.model.spec.features)
    gain = AutomaticGain(SAMPLE_RATE)
    parts = [frontend.push(gain.push(block))[1] for block in np.array_split(samples, 50)]
    return np.concatenate([*parts, frontend.flush()[1]])


def follow(tracker: BeatTracker, features: Array, ahead: float = AHEAD_S) -> ToldBeats:
    """Return the beats that a tracker tells of features (T, F), from its beginning."""
    tracker.reset()
    teller = BeatTeller(tracker.clock, ahead)
    frame_s, half_window = tracker.frame_s, tracker.model.spec.features.half_window_s
    for start in range(0, len(features), PUSH_FRAMES):
        part = features[start : start + PUSH_FRAMES]
        tracker.push(part)
        teller.ask((start + len(part) - 1) * frame_s + half_window)
    return teller.told()


def judge(song: KnownBeats, told: ToldBeats) -> BeatScore:
    """Return the score of what was told of a song."""
    downbeat = None
    if song.downbeats is not None and len(song.downbeats):
        downbeat = f_measure(song.downbeats, told.downbeats)
    return BeatScore(
        song.name,
        f_measure(song.beats, told.beats),
        downbeat,
        distances(song.beats, told.beats),
        told.lock_s,
        level(song.beats, told.beats),
    )


def pop909_songs(config: EvaluateConfig) -> Iterator[KnownBeats]:
    """Yield the songs of rung a, b or c with their true beats; a broken one is skipped."""
    for name in song_names(config):
        try:
            sound = read_reference_song(config, name)
            piece, _ = heard_piece(config, name)
        except DataError as error:
            log.warning("skipped %s: %s", name, error)
            continue
        beats = np.array([beat.time for beat in piece.beats])
        downbeats = np.array([beat.time for beat in piece.beats if beat.is_downbeat])
        yield KnownBeats(name, sound.samples, beats, downbeats)


def recorded_songs(folder: Path, seconds: float, limit: int = 0) -> Iterator[KnownBeats]:
    """Yield the recordings of a folder on whose beats two offline trackers agree.

    Raises
    ------
    ConfigError
        If a tracker is not installed.
    DataError
        If the folder holds no sound.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise DataError(f"{folder}: expected sound files, found none")
    for path in paths[: limit or None]:
        samples = read_part(path, 0.0, seconds or None)
        beats, agreement = agreed_beats(samples)
        log.info("%s: offline trackers agree by %.2f", path.stem, agreement)
        if agreement >= AGREEMENT:
            yield KnownBeats(path.stem, samples, beats, None)


def agreed_beats(samples: Array) -> tuple[Times, float]:
    """Return the beats (n,) on which the offline trackers agree, and their F-measure."""
    ours, theirs = essentia_beats(samples), librosa_beats(samples)
    agreement = f_measure(ours, theirs)
    if not len(ours) or not len(theirs):
        return np.zeros(0), agreement
    apart = np.abs(ours[:, None] - theirs)
    is_near = apart.min(1) <= NEAR_S
    return (ours + theirs[apart.argmin(1)])[is_near] / 2, agreement


def essentia_beats(samples: Array) -> Times:
    """Return the beats (n,) by essentia's RhythmExtractor2013. ConfigError without it."""
    essentia = _imported("essentia.standard")
    sound = soxr.resample(samples, SAMPLE_RATE, 44100).astype(np.float32)
    beats = essentia.RhythmExtractor2013(method="multifeature")(sound)[1]
    return np.asarray(beats, np.float64) - ESSENTIA_LATE_S


def librosa_beats(samples: Array) -> Times:
    """Return the beats (n,) by librosa. ConfigError without it."""
    librosa = _imported("librosa")
    _, beats = librosa.beat.beat_track(y=samples, sr=SAMPLE_RATE, hop_length=256, units="time")
    return np.asarray(beats, np.float64)


def _imported(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigError(needs(f"recordings need {error.name}", "evaluate")) from error


def real_time_factor(tracker: BeatTracker, features: Array) -> float:
    """Return the processor's seconds for each second of features (T, F)."""
    tracker.reset()
    begun = time.process_time()
    for start in range(0, len(features), PUSH_FRAMES):
        tracker.push(features[start : start + PUSH_FRAMES])
    return (time.process_time() - begun) / (len(features) * tracker.frame_s)
