"""Speech to syllables: WORLD's frames of each, cut at the vowel that a note will hold.

WORLD: Morise et al., 2016; ``pyworld``, MIT. Dimensions: samples n at ``SAMPLE_RATE``, frames F of
``FRAME`` seconds, ``BINS`` bins from 0 to 8 kHz, syllables S. Not here: who speaks (``voices``).
"""

import importlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DataError
from engine.system.extras import install

SAMPLE_RATE = 16_000
FRAME = 0.005  # seconds; one frame of the vocoder
BINS = 257  # of a 512 point spectrum
_ANALYSIS_BINS = 1024  # CheapTrick's FFT for voices down to 71 Hz at 16 kHz; every second bin stays
_MIN_VOWEL = 8  # frames; a word whose vowel is shorter is left out
_LONGEST = 34  # frames kept before the vowel, and after it
_BEFORE_DB = -13.0  # of a consonant before its vowel, at most, between 200 Hz and 4 kHz
_QUIET_DB = -42.0  # below the vowel: where a word begins and ends
_ABOVE_HISS_DB = 8.0  # of a recording, if that is louder
_LOUDEST_HISS_DB = -25.0
_NUCLEUS_DB = 5.0  # by which a vowel stands out of what is beside it
_BETWEEN_VOWELS = 24  # frames, at least
_FAINT_DB = -20.0  # of the loudest vowel of a phrase: a fainter one is mumbled

_HZ = np.linspace(0, SAMPLE_RATE / 2, BINS)


@dataclass(frozen=True, slots=True)
class SyllableBank:
    """Syllables of one voice, one after the other, each vowel at about 0 dB.

    Attributes
    ----------
    log_power
        Shape (F, BINS), float32: natural logarithm of the spectral envelope's power.
    aperiodicity
        Shape (F, BINS), float32 in [0, 1]: share of noise.
    is_voiced
        Shape (F,), bool.
    marks
        Shape (S, 4), int: the frames where a syllable and its vowel start, where they end.
    """

    log_power: NDArray[np.float32]
    aperiodicity: NDArray[np.float32]
    is_voiced: NDArray[np.bool_]
    marks: NDArray[np.int64]


def world() -> Any:
    """Return the vocoder, the module ``pyworld``; raises DataError where it is not installed."""
    try:
        with warnings.catch_warnings():  # it asks pkg_resources for its version
            warnings.simplefilter("ignore", UserWarning)
            return importlib.import_module("pyworld")
    except ImportError as error:
        raise DataError(
            f"pyworld: expected this vocoder for sung leads, could not import it ({error}); "
            f"type: {install(['pyworld', 'setuptools<81'])}"
        ) from error


def joined(syllables: Sequence[SyllableBank]) -> SyllableBank:
    """Return syllables as one bank."""
    starts = np.cumsum([0] + [len(s.is_voiced) for s in syllables[:-1]])
    return SyllableBank(
        np.concatenate([s.log_power for s in syllables]),
        np.concatenate([s.aperiodicity for s in syllables]),
        np.concatenate([s.is_voiced for s in syllables]),
        np.concatenate([s.marks + start for s, start in zip(syllables, starts, strict=True)]),
    )


@dataclass(frozen=True, slots=True)
class _Frames:
    """WORLD's analysis of a sound: f0 (F,), power and aperiodicity (F, BINS)."""

    f0: NDArray[np.float64]
    power: NDArray[np.float64]
    noise: NDArray[np.float64]

    def part(self, start: int, stop: int) -> "_Frames":
        return _Frames(self.f0[start:stop], self.power[start:stop], self.noise[start:stop])

    def vowel_db(self) -> NDArray[np.float64]:
        """Return the level (F,) between 200 Hz and 4 kHz."""
        band = (_HZ > 200) & (_HZ < 4000)
        level: NDArray[np.float64] = 10 * np.log10(self.power[:, band].sum(axis=1) + 1e-12)
        return level


def _frames(sound: NDArray[np.float64]) -> _Frames | None:
    if not len(sound) or np.abs(sound).max() < 1e-4:
        return None
    vocoder = world()
    f0, times = vocoder.dio(sound, SAMPLE_RATE, frame_period=1000 * FRAME)
    f0 = vocoder.stonemask(sound, f0, times, SAMPLE_RATE)
    power = vocoder.cheaptrick(sound, f0, times, SAMPLE_RATE, fft_size=_ANALYSIS_BINS)[:, ::2]
    noise = vocoder.d4c(sound, f0, times, SAMPLE_RATE, fft_size=_ANALYSIS_BINS)[:, ::2]
    return _Frames(f0, power, noise)


def analyse(sound: NDArray[np.float64]) -> SyllableBank | None:
    """Return one spoken word, shape (n,), as a bank of one syllable; None where it has no vowel.

    The vowel is the longest stretch that is voiced and within 9 dB of the loudest frame between
    200 Hz and 4 kHz: nasals, liquids and stops before it count as consonants.
    """
    frames = _frames(sound)
    return None if frames is None else _syllable(frames)


def analyse_phrase(sound: NDArray[np.float64]) -> list[SyllableBank]:
    """Return a spoken phrase, shape (n,), as banks of one syllable each.

    Of the vowels that stand out and are voiced; cut where it is faintest between them.
    """
    from scipy.signal import find_peaks

    frames = _frames(sound)
    if frames is None:
        return []
    level = np.convolve(frames.vowel_db(), np.hanning(9) / np.hanning(9).sum(), "same")
    level = np.where(frames.f0 > 0, level, np.minimum(level, level.max() + 2 * _FAINT_DB))
    vowels, _ = find_peaks(
        level, level.max() + _FAINT_DB, prominence=_NUCLEUS_DB, distance=_BETWEEN_VOWELS
    )
    between = zip(vowels[:-1], vowels[1:], strict=True)
    cuts = [0, *(a + int(np.argmin(level[a:b])) for a, b in between), len(level)]
    parts = (frames.part(a, b) for a, b in zip(cuts[:-1], cuts[1:], strict=True))
    return [s for s in map(_syllable, parts) if s is not None]


def _syllable(frames: _Frames) -> SyllableBank | None:
    """Return the syllable around the longest vowel, None where there is none."""
    f0, power, noise = frames.f0, frames.power, frames.noise
    vowel_db = frames.vowel_db()
    start, end = _longest_run((f0 > 0) & (vowel_db > vowel_db.max() - 9))
    if end - start < _MIN_VOWEL:
        return None
    level = np.median(vowel_db[start:end])
    all_db = 10 * np.log10(power.sum(axis=1) + 1e-12)
    hiss = min(np.percentile(all_db, 5) + _ABOVE_HISS_DB - level, _LOUDEST_HISS_DB)
    loud = np.flatnonzero(all_db > level + max(_QUIET_DB, hiss))
    first, last = max(loud[0], start - _LONGEST), min(loud[-1] + 1, end + _LONGEST)
    gain_db = np.full(len(f0), -level)
    # A sung vowel holds its level where a spoken one dies away; the attack stays as spoken.
    held = np.clip(0.8 * (level - vowel_db[start:end]), 0, 9)
    gain_db[start:end] += held * np.clip(np.arange(end - start) / 8, 0, 1)
    gain_db[end:] += held[-1]
    outside = np.concatenate([np.arange(start), np.arange(end, len(f0))])
    gain_db[outside] -= np.clip((all_db + gain_db)[outside], 0, None)  # no hiss above the vowel
    # A nasal or liquid as loud as its vowel would sound like the note's onset.
    gain_db[:start] -= np.clip((vowel_db + gain_db)[:start] - _BEFORE_DB, 0, None)
    log_power = np.log(power + 1e-12) + (gain_db * np.log(10) / 10)[:, None]
    return SyllableBank(
        log_power[first:last].astype(np.float32),
        noise[first:last].astype(np.float32),
        (f0 > 0)[first:last],
        np.array([[0, start - first, end - first, last - first]]),
    )


def _longest_run(mask: NDArray[np.bool_]) -> tuple[int, int]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    if not len(edges):
        return 0, 0
    longest = int(np.argmax(edges[1::2] - edges[::2]))
    return int(edges[2 * longest]), int(edges[2 * longest + 1])
