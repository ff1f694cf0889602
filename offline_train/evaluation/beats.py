"""The beat tracker, strictly causal, evaluated on songs.

A beat counts as it was predicted ``ahead`` seconds before, from no more than had sounded by
then. Songs are POP909's rungs, or recordings without annotated beats: there those beats are taken
for true on which two offline trackers agree, in songs where they agree mostly. Not here: the
trackers (``data.beats.offline_trackers``), the figures (``measures.beats``).
"""

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio.files.file_source import SUFFIXES
from engine.beat.clock import BeatClock
from engine.beat.follower import BeatFollower
from engine.beat.tracker import BeatTracker
from engine.core.errors import DataError
from engine.core.settings import BeatSettings, ModelSettings
from engine.core.tempo import BeatState
from engine.cover.stream import open_pipeline
from engine.model.frontend import load_frontend
from engine.signal.level import AutomaticGain
from engine.signal.stereo import middle_of
from models.spec import FeatureSpec
from offline_train.data.beats.offline_trackers import agreed_beats
from offline_train.data.sound_files import SAMPLE_RATE, read_stereo_part
from offline_train.evaluation.measures.beats import (
    BeatScore,
    distances,
    end_of,
    f_measure,
    level,
)
from offline_train.evaluation.songs.rungs import (
    EvaluateConfig,
    read_reference_song,
    reference_piece,
    song_names,
)

log = logging.getLogger(__name__)

Array = NDArray[np.float32]
Times = NDArray[np.float64]

AHEAD_S = 0.1
PUSH_FRAMES = 2
BLOCK = 256  # samples
TIMED_SAMPLES = 16 * SAMPLE_RATE
AGREEMENT = 0.7  # of the offline trackers, from which on a recording can be evaluated


@dataclass(frozen=True, slots=True)
class KnownBeats:
    """A song and its beats; ``downbeats`` None: not known."""

    name: str
    sound: Array  # 16 kHz, mono (n,) or stereo (n, 2)
    beats: Times
    downbeats: Times | None


@dataclass(frozen=True, slots=True)
class PredictedBeats:
    """Beats as they were predicted, and when the clock first locked (seconds), if ever."""

    beats: Times
    downbeats: Times
    lock_s: float | None

    def until(self, time: float) -> "PredictedBeats":
        """Return those that fall until a time."""
        beats, downbeats = (own[own <= time] for own in (self.beats, self.downbeats))
        return replace(self, beats=beats, downbeats=downbeats)


class BeatPredictor:
    """Asks a clock for each beat ``ahead`` seconds before it falls; a prediction is final."""

    def __init__(self, clock: BeatClock, ahead: float = AHEAD_S) -> None:
        self._clock, self._ahead = clock, ahead
        self._next: int | None = None
        self._beats: list[tuple[float, bool]] = []
        self._lock_s: float | None = None

    def update(self, now: float) -> None:
        """Note the beats that fall within ``ahead`` of ``now``."""
        clock = self._clock
        if clock.state is BeatState.LOST:
            return
        if self._lock_s is None:
            self._lock_s = now
        first = math.ceil(clock.position(now))
        self._next = first if self._next is None else max(self._next, first)
        while (at := clock.time_of(self._next)) <= now + self._ahead:
            self._beats.append((at, clock.beat_in_bar(self._next) == 0))
            self._next += 1

    def beats(self) -> PredictedBeats:
        """Return the predictions."""
        times = np.array([at for at, _ in self._beats])
        is_down = np.array([down for _, down in self._beats], bool)
        return PredictedBeats(times, times[is_down], self._lock_s)


def features_of(samples: Array, spec: FeatureSpec) -> Array:
    """Return the features (T, F) of samples (n,), at the level that a model gets."""
    frontend = load_frontend(spec)
    gain = AutomaticGain(SAMPLE_RATE)
    parts = [frontend.push(gain.push(block))[1] for block in np.array_split(samples, 50)]
    return np.concatenate([*parts, frontend.flush()[1]])


class Listener:
    """Follows the beat of songs beside ``live``, as the program does."""

    def __init__(self, tracker: BeatTracker) -> None:
        self._pipeline = open_pipeline(ModelSettings())
        self._follower = BeatFollower(BeatSettings(), self._pipeline.spec.features, tracker)
        self._pipeline.tap = self._follower

    def track(self, sound: Array, ahead: float = AHEAD_S) -> PredictedBeats:
        """Return the beats that are predicted of a song, from its beginning."""
        self._pipeline.reset()
        predictor = BeatPredictor(self._follower.clock, ahead)
        for start in range(0, len(sound), BLOCK):
            self._pipeline.push(sound[start : start + BLOCK])
            predictor.update(self._follower.now)
        return predictor.beats()


def score_beats(song: KnownBeats, predicted: PredictedBeats) -> BeatScore:
    """Return the score of the predicted beats of a song, as far as its beats are known."""
    predicted = predicted.until(end_of(song.beats))
    downbeat = None
    if song.downbeats is not None and len(song.downbeats):
        downbeat = f_measure(song.downbeats, predicted.downbeats)
    return BeatScore(
        song.name,
        f_measure(song.beats, predicted.beats),
        downbeat,
        distances(song.beats, predicted.beats),
        predicted.lock_s,
        level(song.beats, predicted.beats),
    )


def pop909_songs(config: EvaluateConfig) -> Iterator[KnownBeats]:
    """Yield the songs of rung a, b or c with their true beats; a broken one is skipped."""
    for name in song_names(config):
        try:
            sound = read_reference_song(config, name)
            piece, _ = reference_piece(config, name)
        except DataError as error:
            log.warning("skipped %s: %s", name, error)
            continue
        beats = np.array([beat.time for beat in piece.beats])
        downbeats = np.array([beat.time for beat in piece.beats if beat.is_downbeat])
        yield KnownBeats(name, sound.sound, beats, downbeats)


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
        sound = read_stereo_part(path, 0.0, seconds or None)
        beats, agreement = agreed_beats(middle_of(sound))
        log.info("%s: offline trackers agree by %.2f", path.stem, agreement)
        if agreement >= AGREEMENT:
            yield KnownBeats(path.stem, sound, beats, None)


def real_time_factor(tracker: BeatTracker, features: Array) -> float:
    """Return the processor's seconds for each second of features (T, F)."""
    tracker.reset()
    begun = time.process_time()
    for start in range(0, len(features), PUSH_FRAMES):
        tracker.push(features[start : start + PUSH_FRAMES])
    return (time.process_time() - begun) / (len(features) * tracker.frame_s)
