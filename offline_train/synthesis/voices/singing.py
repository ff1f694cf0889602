"""How a line is sung, frame by frame: which syllable when, how loud, at what pitch.

A plan is drawn from a singer's habits: consonants before the onset, slurs, breaths, glides, scoops
and vibrato. Dimensions: frames T of ``FRAME`` seconds. Not here: what it sounds like (``voice``),
and the syllables (``voices``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offline_train.corpora import Note
from offline_train.synthesis.voices.syllables import FRAME, SyllableBank
from offline_train.synthesis.voices.voices import Voice

SILENT_DB = -70.0
_TIMING = 0.008  # seconds a singer is early or late at most
_LEGATO = 0.06  # seconds: a shorter gap between notes is sung through
_PHRASE = 0.3  # seconds: a longer gap has room for a breath
_RELEASE = 14  # frames over which a phrase's last note dies away


@dataclass(frozen=True, slots=True)
class Singer:
    """One singer's habits, drawn once for a song. Ratios are shares of notes."""

    formant: float  # factor on the formants' frequency
    vibrato_hz: float
    vibrato_cents: float  # to one side
    vibrato_delay: float  # seconds
    glide: float  # seconds from one pitch to the next
    scoop_ratio: float  # notes that start below their pitch
    slur_ratio: float  # notes that continue the vowel of the one before
    coda_ratio: float  # notes inside a phrase that close with their consonant
    breath: float  # noise in the voice, 0 to 1
    breath_db: float  # level of the breaths between phrases
    offset_cents: float = 0.0
    scoop_cents: tuple[float, float] = (60.0, 160.0)  # how far below its pitch such a note starts
    effort: float = 0.0  # added to each note's: over 0 belted, below sighed
    is_tuned: bool = False  # by a machine: steps from pitch to pitch, no drift, hardly vibrato


def draw_singer(voice: Voice, rng: np.random.Generator) -> Singer:
    """Return a singer with this voice."""
    return Singer(
        formant=rng.uniform(*voice.formant),
        vibrato_hz=rng.uniform(*voice.vibrato_hz),
        vibrato_cents=rng.uniform(*voice.vibrato_cents),
        vibrato_delay=rng.uniform(0.12, 0.4),
        glide=rng.uniform(0.035, 0.11),
        scoop_ratio=rng.uniform(0.0, 0.4),
        slur_ratio=rng.uniform(0.0, 0.25),
        coda_ratio=rng.uniform(0.2, 0.8),
        breath=rng.uniform(*voice.breath),
        breath_db=rng.uniform(-30.0, -14.0),
    )


@dataclass(slots=True)
class Plan:
    """What is sung in each frame; every array has shape (T,)."""

    source: NDArray[np.float64]  # a frame of the bank, fractional
    cents: NDArray[np.float64]  # pitch, 100 times a MIDI number
    level_db: NDArray[np.float64]
    effort: NDArray[np.float64]  # -1 soft to 1 loud: tilts the spectrum
    is_breath: NDArray[np.bool_]

    @classmethod
    def silent(cls, n_frames: int) -> "Plan":
        """A plan of silence."""
        return cls(
            np.zeros(n_frames),
            np.full(n_frames, 6000.0),
            np.full(n_frames, SILENT_DB),
            np.zeros(n_frames),
            np.zeros(n_frames, np.bool_),
        )


def plan_line(
    melody: Sequence[Note],
    n_frames: int,
    bank: SyllableBank,
    singer: Singer,
    rng: np.random.Generator,
) -> Plan:
    """Return how a singer sings a line of notes, one at a time and in order."""
    plan = Plan.silent(n_frames)
    _plan_words(plan, melody, bank, singer, rng)
    _plan_pitch(plan, melody, singer, rng)
    return plan


def _frame(time: float) -> int:
    return round(time / FRAME)


def _plan_words(
    plan: Plan,
    melody: Sequence[Note],
    bank: SyllableBank,
    singer: Singer,
    rng: np.random.Generator,
) -> None:
    """Fill source, level and breaths: which syllable is where, consonants before the onsets."""
    n_frames = len(plan.source)
    late = rng.uniform(-_TIMING, _TIMING, len(melody))
    onsets = [max(0, _frame(n.onset + d)) for n, d in zip(melody, late, strict=True)]
    words = [int(w) for w in rng.integers(len(bank.marks), size=len(melody))]
    slurred = _slurs(melody, singer, rng)
    leads = [0] * len(melody)  # frames of consonant before each vowel
    for i, word in enumerate(words):
        # The note before keeps at least 60% of its time as vowel.
        room = onsets[i] if i == 0 else int(0.4 * (onsets[i] - onsets[i - 1]))
        start, vowel = bank.marks[word][:2]
        leads[i] = 0 if slurred[i] else min(int(vowel - start), room, onsets[i])
    for i, note in enumerate(melody):
        if slurred[i]:
            continue
        last = i
        while last + 1 < len(melody) and slurred[last + 1]:
            last += 1
        end = min(_frame(melody[last].offset), n_frames)
        following = onsets[last + 1] - leads[last + 1] if last + 1 < len(melody) else None
        is_legato = following is not None and following - end < _LEGATO / FRAME
        end = following if following is not None and is_legato else end
        has_coda = not is_legato or rng.random() < singer.coda_ratio
        _put_syllable(
            plan, bank.marks[words[i]], onsets[i], leads[i], max(end, onsets[i] + 2), has_coda
        )
        if not is_legato:
            _release(plan, min(end, n_frames))
        silent_from = melody[i - 1].offset if i else 0.0
        if note.onset - silent_from > _PHRASE and rng.random() < 0.8:
            _put_breath(plan, bank, onsets[i] - leads[i], note.onset - silent_from, singer, rng)
    _plan_level(plan, melody, onsets, singer, rng)


def _slurs(melody: Sequence[Note], singer: Singer, rng: np.random.Generator) -> list[bool]:
    """Return which notes continue the vowel before them: never a repeated pitch."""
    draws = rng.random(len(melody))
    return [
        i > 0
        and draws[i] < singer.slur_ratio
        and note.pitch != melody[i - 1].pitch
        and note.onset - melody[i - 1].offset < _LEGATO
        for i, note in enumerate(melody)
    ]


def _put_syllable(
    plan: Plan, marks: NDArray[np.int64], onset: int, lead: int, end: int, has_coda: bool
) -> None:
    """Lay a syllable over the frames: consonant up to the onset, stretched vowel, closing sound."""
    start, vowel, vowel_end, stop = (int(m) for m in marks)
    coda = min(stop - vowel_end, int(0.3 * (end - onset))) if has_coda else 0
    n = end - coda - onset
    natural = vowel_end - vowel
    head = min(6, n // 3)
    # A long diphthong stays on its first vowel, as singers do, and closes at the end.
    held = vowel + head + (0.35 if n > natural else 0.7) * (natural - head)
    knots = [onset - lead, onset, onset + head, onset + 0.75 * n, onset + n, end + 1]
    frames = [start, vowel, vowel + head, held, vowel_end - 1, stop - 1 if coda else vowel_end - 1]
    where = np.arange(max(0, onset - lead), min(end, len(plan.source)))
    plan.source[where] = np.interp(where, knots, frames)
    plan.level_db[where] = 0.0


def _release(plan: Plan, end: int) -> None:
    """Let the sound die away over the last frames before ``end``."""
    n = min(_RELEASE, end)
    plan.level_db[end - n : end] += np.linspace(0, -36, n)


def _put_breath(
    plan: Plan,
    bank: SyllableBank,
    end: int,
    gap: float,
    singer: Singer,
    rng: np.random.Generator,
) -> None:
    """Breathe in before frame ``end``, within a gap of so many seconds."""
    n = _frame(min(rng.uniform(0.15, 0.4), 0.6 * gap))
    end -= _frame(rng.uniform(0.02, 0.06))
    start = max(0, end - n)
    if end - start < 8:
        return
    vowel = bank.marks[int(rng.integers(len(bank.marks)))][1]
    plan.source[start:end] = vowel + 3
    swell = np.sin(np.linspace(0, np.pi, end - start)) ** 0.7
    plan.level_db[start:end] = singer.breath_db + 20 * np.log10(swell + 1e-3)
    plan.is_breath[start:end] = True


def _plan_level(
    plan: Plan,
    melody: Sequence[Note],
    onsets: list[int],
    singer: Singer,
    rng: np.random.Generator,
) -> None:
    """Add each note's loudness by its velocity, a swell over it, and a slow wander."""
    n_frames = len(plan.source)
    for i, note in enumerate(melody):
        first = onsets[i] if i else 0
        last = onsets[i + 1] if i + 1 < len(melody) else n_frames
        loudness = 26 * np.log10(max(note.velocity, 20) / 90)
        sung = ~plan.is_breath[first:last]
        plan.level_db[first:last] += loudness * sung
        plan.effort[first:last] = np.clip((note.velocity - 80) / 47 + singer.effort, -1.5, 1.5)
    plan.level_db += _wander(n_frames, 3.0, rng) * 1.2


def _wander(n_frames: int, knots_hz: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return slow noise of about unit size, shape (n_frames,)."""
    n = int(n_frames * FRAME * knots_hz) + 2
    return np.interp(np.linspace(0, n - 1, n_frames), np.arange(n), rng.standard_normal(n))


def _plan_pitch(
    plan: Plan, melody: Sequence[Note], singer: Singer, rng: np.random.Generator
) -> None:
    """Fill the pitch: each note's own, glides between them, scoops, vibrato, drift and jitter."""
    n_frames = len(plan.cents)
    time = np.arange(n_frames) * FRAME
    since = np.zeros(n_frames)  # seconds since the note's onset
    cents = plan.cents
    for i, note in enumerate(melody):
        own = 100.0 * note.pitch + np.clip(rng.normal(0, 6), -15, 15) * (not singer.is_tuned)
        first = _frame(note.onset) if i else 0
        since[first:] = time[first:] - note.onset
        is_joined = i > 0 and note.onset - melody[i - 1].offset < 0.15
        scoop = rng.random() < singer.scoop_ratio
        before = (
            cents[first - 1]
            if is_joined
            else own - (rng.uniform(*singer.scoop_cents) if scoop else 20)
        )
        glide = min(singer.glide, 0.3 * (note.offset - note.onset)) * rng.uniform(0.8, 1.2)
        if scoop and not is_joined:
            glide *= 1.3
        cents[first:] = own
        # Most of a glide happens on the consonant, so that the vowel starts near its pitch.
        start = note.onset - 0.7 * glide
        a, b = max(0, _frame(start)), min(n_frames, _frame(start + glide) + 1)
        curve = 0.5 - 0.5 * np.cos(np.pi * np.clip((time[a:b] - start) / glide, 0, 1))
        cents[a:b] = before + (own - before) * curve
        if not is_joined:
            cents[max(0, a - 60) : a] = before
    rate = singer.vibrato_hz + 0.3 * _wander(n_frames, 1.0, rng)
    swing = np.clip((since - singer.vibrato_delay) / 0.3, 0, 1)
    depth = singer.vibrato_cents * (1 + 0.15 * _wander(n_frames, 1.5, rng))
    cents += swing * depth * np.sin(2 * np.pi * np.cumsum(rate) * FRAME)
    plan.level_db += swing * 0.8 * np.sin(2 * np.pi * np.cumsum(rate) * FRAME + 1.0)
    drift = 4 * _wander(n_frames, 2.0, rng) + 3 * _wander(n_frames, 40.0, rng)
    cents += drift * (not singer.is_tuned)
    cents += singer.offset_cents
