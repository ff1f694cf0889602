"""The 24 numbers that describe how a piano part is played, and the ways to name them.

Three histograms of 8 bins, each summing to 1: velocity, pitch and onset rate, in that order, after
AMT-APC (Section III-B): values are z-scored with the paper's corpus statistics and cut at
``EDGES``. The paper's code observes the onset rate once in every 8.2 s; here every moving second
is an observation, since an excerpt of a song holds too few of the longer ones.
Not here: how presets are made (``offline_train.data.style``), and how a model uses a style.
"""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ConfigError, DataError
from engine.core.settings import STYLE_FROM
from engine.midi.reader import MAX_BYTES, parse_midi
from engine.midi.tempo_map import TempoMap
from engine.system.paths import did_you_mean, given_path, shown
from models.spec import MIN_PITCH, N_PITCHES, ModelSpec

Array = NDArray[np.float32]

EDGES = np.array([-2, -4 / 3, -2 / 3, 0, 2 / 3, 4 / 3, 2])
VELOCITY = (80.48, 15.22)  # mean and standard deviation of AMT-APC's corpus
PITCH = (61.20, 14.97)
ONSET_RATE = (7.6, 3.175)  # onsets a second: 0.1216 and 0.0508 a frame of 16 ms

INTENSITIES = ("calm", "balanced", "intense")
"""The presets at intensity 0, 0.5 and 1."""

MAX_SECONDS = 4 * 3600.0
"""A longer file is refused: memory grows with its length."""

_DRUMS = 9  # the MIDI channel, counted from 0


def style_vector(style: str | float | Sequence[float], spec: ModelSpec) -> Array:
    """Return a style (24,) float32.

    Parameters
    ----------
    style
        A preset of the model by name; ``from:FILE.mid``, the style of that piano part; a number
        from 0 to 1, that much of the way from calm through balanced to intense; or the 24 numbers.
    spec
        Of the model, whose presets count.

    Raises
    ------
    ConfigError
        If the model has no preset of that name (it names the nearest and all there are) or none to
        go between, the file gives no style, or the numbers are not as many or as large as needed.
    """
    if isinstance(style, str):
        if style.startswith(STYLE_FROM):
            return read_style(given_path(style.removeprefix(STYLE_FROM)))
        return _preset(style, spec)
    if isinstance(style, int | float):
        return _between(float(style), spec)
    numbers = np.asarray(style, np.float32)
    if numbers.shape != (spec.style_dim,) or not np.isfinite(numbers).all():
        raise ConfigError(
            f"a style must be a preset's name, {STYLE_FROM}FILE.mid, a number from 0 to 1 or"
            f" {spec.style_dim} finite numbers, not {style!r}"
        )
    return numbers


def _preset(name: str, spec: ModelSpec) -> Array:
    if name in spec.styles:
        return np.asarray(spec.styles[name], np.float32)
    near = difflib.get_close_matches(name, spec.styles, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    known = ", ".join(sorted(spec.styles)) or "none"
    raise ConfigError(f"model {spec.name} has no style {name!r} (it has {known}){hint}")


def _between(intensity: float, spec: ModelSpec) -> Array:
    """Return the style at an intensity from 0 to 1, interpolated between presets."""
    if not 0.0 <= intensity <= 1.0:
        raise ConfigError(
            f"a style that is a number must lie from 0 (calm) to 1 (intense), not {intensity!r}"
        )
    presets = np.stack([_preset(name, spec) for name in INTENSITIES])
    place = intensity * (len(presets) - 1)
    lower = min(int(place), len(presets) - 2)
    return np.asarray(presets[lower] + (place - lower) * (presets[lower + 1] - presets[lower]))


def read_style(path: Path) -> Array:
    """Return the style (24,) of the notes of a MIDI file: all its tracks but drums.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not MIDI, lasts for hours, or has no note of a piano's keys.
    """
    try:
        with path.open("rb") as file:
            return parse_style(shown(path), file)
    except FileNotFoundError as error:
        raise ConfigError(
            f"{shown(path)}: no such file{did_you_mean(path)}; a style is read {STYLE_FROM}FILE.mid"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"{shown(path)}: expected a MIDI file to read a style from ({error.strerror})"
        ) from error


def parse_style(name: str, file: BinaryIO) -> Array:
    """Return the same of an open MIDI file, which an error calls ``name``."""
    try:
        midi = parse_midi(file.read(MAX_BYTES + 1), name)
    except DataError as error:
        raise ConfigError(f"{error}; a style is read from the notes of one") from error
    clock, notes = TempoMap.of(midi), []
    for track in midi.tracks:
        tick = 0
        for message in track:
            tick += message.time
            is_note = message.type == "note_on" and message.velocity and message.channel != _DRUMS
            if is_note and MIN_PITCH <= message.note < MIN_PITCH + N_PITCHES:
                now = clock.seconds(tick)
                notes.append((now, now, message.note, message.velocity))
                if now > MAX_SECONDS:
                    hours = f"{MAX_SECONDS / 3600:g} hours"
                    raise ConfigError(f"{name}: expected a piano part, it lasts more than {hours}")
    if not notes:
        raise ConfigError(f"{name}: expected the notes of a piano part, found none to read a style")
    return measure_style(np.array(notes, np.float32))


def measure_style(notes: Array) -> Array:
    """Return the style (24,) of notes (n, >= 4): onset, offset, pitch, velocity; n >= 1."""
    histograms = [
        np.bincount(np.searchsorted(EDGES, (values - mean) / deviation), minlength=8) / len(values)
        for values, (mean, deviation) in (
            (notes[:, 3], VELOCITY),
            (notes[:, 2], PITCH),
            (onset_rates(notes), ONSET_RATE),
        )
    ]
    return np.concatenate(histograms).astype(np.float32)


def onset_rates(notes: Array) -> NDArray[np.float64]:
    """Return the onsets in each moving second (m,), every half second, of notes (n, >= 1)."""
    onsets = np.sort(notes[:, 0])
    starts = np.arange(onsets[0], max(onsets[-1] - 1.0, onsets[0]) + 0.5, 0.5)
    counts = np.searchsorted(onsets, starts + 1.0) - np.searchsorted(onsets, starts)
    return counts.astype(float)


def expected_onset_rate(style: Array) -> float:
    """Return the onsets a second that a style (24,) asks for: the mean of its third histogram.

    A bin counts as its middle, the outer two as if they were as wide as the others. Linear in the
    style, and positive for every histogram.
    """
    middles = np.append(EDGES - 1 / 3, EDGES[-1] + 1 / 3)
    mean, deviation = ONSET_RATE
    return float(np.dot(style[-8:], mean + deviation * middles))


def mean_deviations(style: Array) -> NDArray[np.float64]:
    """Return the means (3,) of a style's histograms, in standard deviations of the corpus.

    Of velocity, pitch and onset rate; a bin counts as its middle.
    """
    middles = np.append(EDGES - 1 / 3, EDGES[-1] + 1 / 3)
    return np.asarray(style.reshape(3, -1) @ middles, np.float64)


def style_pace(style: Array, spec: ModelSpec) -> float:
    """Return how many notes a style (24,) asks for, for each that the balanced preset does.

    Within a quarter and four times; 1 where the model has no such preset, or it is no histogram.
    """
    asked = expected_onset_rate(style)
    usual = expected_onset_rate(np.asarray(spec.styles.get("balanced", style), np.float32))
    if asked <= 0.0 or usual <= 0.0:
        return 1.0
    return min(max(asked / usual, 0.25), 4.0)
