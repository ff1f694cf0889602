"""Sings a melody: spoken syllables stretched to the notes and pitched by them, through WORLD.

A singer that no soundfont has: consonants before the onset, a formant for each vowel, glides,
vibrato, breath. The vowel starts within ``_TIMING`` of the note's onset, and the pitch is the
note's, so the labels hold. Dimensions: samples n, frames T of ``FRAME`` seconds; F frames of the
bank. Not here: who sings and from what speech (``voices``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from offline_train.corpora import Note
from offline_train.voices import (
    BINS,
    FRAME,
    SAMPLE_RATE,
    TRAIN_VOICES,
    UNHEARD_VOICES,
    SyllableBank,
    Voice,
    load_bank,
    world,
)

__all__ = ["TRAIN_VOICES", "UNHEARD_VOICES", "choir", "sing"]

_HZ = np.linspace(0, SAMPLE_RATE / 2, BINS)
_TIMING = 0.008  # seconds a singer is early or late at most
_LEGATO = 0.06  # seconds: a shorter gap between notes is sung through
_PHRASE = 0.3  # seconds: a longer gap has room for a breath
_SHORTEST = 0.03  # seconds; a shorter note is sung this long
_RELEASE = 14  # frames over which a phrase's last note dies away
_SILENT_DB = -70.0
_FLOOR = -50.0  # natural logarithm of power
_PEAK = 0.7


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


def _draw_singer(voice: Voice, rng: np.random.Generator) -> Singer:
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
class _Plan:
    """What is sung in each frame; every array has shape (T,)."""

    source: NDArray[np.float64]  # a frame of the bank, fractional
    cents: NDArray[np.float64]  # pitch, 100 times a MIDI number
    level_db: NDArray[np.float64]
    effort: NDArray[np.float64]  # -1 soft to 1 loud: tilts the spectrum
    is_breath: NDArray[np.bool_]

    @classmethod
    def silent(cls, n_frames: int) -> "_Plan":
        """A plan of silence."""
        return cls(
            np.zeros(n_frames),
            np.full(n_frames, 6000.0),
            np.full(n_frames, _SILENT_DB),
            np.zeros(n_frames),
            np.zeros(n_frames, np.bool_),
        )


def sing(
    notes: Sequence[Note],
    duration: float,
    rng: np.random.Generator,
    voices: Sequence[Voice] = TRAIN_VOICES,
    sample_rate: int = SAMPLE_RATE,
) -> NDArray[np.float32]:
    """Return the notes sung by one singer with one of ``voices``, drawn by register.

    A singer has one voice: a note ends where the next begins, and of notes that start together
    the highest is sung.

    Parameters
    ----------
    notes
        The melody; MIDI 48 to 84 sounds like a person.
    duration
        Length in seconds; what lies beyond is not sung.
    rng
        Source of every choice: the same state gives the same samples.
    voices
        Who may sing.
    sample_rate
        Hz. The voice ends at 8 kHz whatever the rate.

    Returns
    -------
    ndarray
        Shape (round(duration * sample_rate),), float32 in [-1, 1]; silence where there is no note.

    Raises
    ------
    DataError
        If ``voices`` is empty, a pitch is no MIDI number, or the speech program is missing.
    """
    melody = _one_voice(notes, duration)
    voice = _choose(voices, melody, rng)
    sound = np.zeros(round(duration * SAMPLE_RATE), np.float32)
    if melody:
        sound = _perform(melody, len(sound), load_bank(voice), _draw_singer(voice, rng), rng)
    return _finish(sound, duration, sample_rate)


def choir(
    notes: Sequence[Note],
    duration: float,
    rng: np.random.Generator,
    voices: Sequence[Voice] = TRAIN_VOICES,
    sample_rate: int = SAMPLE_RATE,
    n_singers: int = 4,
) -> NDArray[np.float32]:
    """Return chords sung on vowels by several detuned singers; what ``sing`` says holds here too.

    The notes are dealt to lines of one note at a time, the highest first; each line has a
    singer, further singers double the lines from the top. Costs ``n_singers`` times ``sing``.
    Notes beyond ``n_singers`` at a time are not sung.
    """
    lines = _deal(notes, duration, n_singers)
    sound = np.zeros(round(duration * SAMPLE_RATE), np.float32)
    for k in range(n_singers if lines else 0):
        line = lines[k % len(lines)]
        voice = _choose(voices, line, rng)
        singer = _draw_singer(voice, rng)
        singer = Singer(
            singer.formant, singer.vibrato_hz, 0.5 * singer.vibrato_cents, singer.vibrato_delay,
            singer.glide, 0.0, 0.0, 0.0, singer.breath, _SILENT_DB, rng.uniform(-12, 12),
        )  # fmt: skip
        bank = _vowels(load_bank(voice))
        sound += _perform(line, len(sound), bank, singer, rng) * rng.uniform(0.6, 1.0)
    return _finish(sound, duration, sample_rate)


def _finish(sound: NDArray[np.float32], duration: float, sample_rate: int) -> NDArray[np.float32]:
    if sample_rate != SAMPLE_RATE:
        import soxr

        sound = soxr.resample(sound, SAMPLE_RATE, sample_rate)
    out: NDArray[np.float32] = np.zeros(round(duration * sample_rate), np.float32)
    n = min(len(out), len(sound))
    out[:n] = sound[:n]
    peak = float(np.abs(out).max(initial=0.0))
    if peak > 0:
        out *= np.float32(_PEAK / peak)
    return out


def _one_voice(notes: Sequence[Note], duration: float) -> list[Note]:
    """Return the notes as one voice can sing them, in order."""
    for note in notes:
        if not 0 <= note.pitch <= 127 or not np.isfinite(note.onset + note.offset):
            raise DataError(f"expected notes with MIDI pitches 0 to 127 and finite times: {note}")
    line: list[Note] = []
    for note in sorted(notes, key=lambda n: (n.onset, n.pitch)):
        if note.onset < 0 or note.onset >= duration - _SHORTEST:
            continue
        if line and note.onset - line[-1].onset < _SHORTEST:
            line.pop()
        if line:
            line[-1] = line[-1]._replace(offset=min(line[-1].offset, note.onset))
        line.append(note._replace(offset=max(note.offset, note.onset + _SHORTEST)))
    if line:
        line[-1] = line[-1]._replace(offset=min(line[-1].offset, duration))
    return line


def _deal(notes: Sequence[Note], duration: float, n_lines: int) -> list[list[Note]]:
    """Return the notes as at most ``n_lines`` lines of one note at a time."""
    lines: list[list[Note]] = []
    for note in sorted(notes, key=lambda n: (n.onset, -n.pitch)):
        free = next((ln for ln in lines if ln[-1].offset <= note.onset + _SHORTEST), None)
        if free is not None:
            free.append(note)
        elif len(lines) < n_lines:
            lines.append([note])
    return [line for line in (_one_voice(ln, duration) for ln in lines) if line]


def _choose(voices: Sequence[Voice], melody: list[Note], rng: np.random.Generator) -> Voice:
    """Return one of the voices, thrice as likely one whose register is the melody's."""
    if not voices:
        raise DataError("expected at least one voice to sing, got none")
    is_high = bool(melody) and float(np.median([note.pitch for note in melody])) > 64
    weights = np.array([3.0 if voice.is_high == is_high else 1.0 for voice in voices])
    return voices[int(rng.choice(len(voices), p=weights / weights.sum()))]


def _perform(
    melody: list[Note],
    n_samples: int,
    bank: SyllableBank,
    singer: Singer,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Return a line of notes sung, shape (n_samples,), with no given level."""
    n_frames = int(np.ceil(n_samples / SAMPLE_RATE / FRAME)) + 1
    plan = _Plan.silent(n_frames)
    _plan_words(plan, melody, bank, singer, rng)
    _plan_pitch(plan, melody, singer, rng)
    return _synthesise(plan, _coloured(bank, singer), n_samples)


def _frame(time: float) -> int:
    return round(time / FRAME)


def _plan_words(
    plan: _Plan,
    melody: list[Note],
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
    _plan_level(plan, melody, onsets, rng)


def _slurs(melody: list[Note], singer: Singer, rng: np.random.Generator) -> list[bool]:
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
    plan: _Plan, marks: NDArray[np.int64], onset: int, lead: int, end: int, has_coda: bool
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


def _release(plan: _Plan, end: int) -> None:
    """Let the sound die away over the last frames before ``end``."""
    n = min(_RELEASE, end)
    plan.level_db[end - n : end] += np.linspace(0, -36, n)


def _put_breath(
    plan: _Plan,
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
    plan: _Plan, melody: list[Note], onsets: list[int], rng: np.random.Generator
) -> None:
    """Add each note's loudness by its velocity, a swell over it, and a slow wander."""
    n_frames = len(plan.source)
    for i, note in enumerate(melody):
        first = onsets[i] if i else 0
        last = onsets[i + 1] if i + 1 < len(melody) else n_frames
        loudness = 26 * np.log10(max(note.velocity, 20) / 90)
        sung = ~plan.is_breath[first:last]
        plan.level_db[first:last] += loudness * sung
        plan.effort[first:last] = np.clip((note.velocity - 80) / 47, -1, 1)
    plan.level_db += _wander(n_frames, 3.0, rng) * 1.2


def _wander(n_frames: int, knots_hz: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return slow noise of about unit size, shape (n_frames,)."""
    n = int(n_frames * FRAME * knots_hz) + 2
    return np.interp(np.linspace(0, n - 1, n_frames), np.arange(n), rng.standard_normal(n))


def _plan_pitch(plan: _Plan, melody: list[Note], singer: Singer, rng: np.random.Generator) -> None:
    """Fill the pitch: each note's own, glides between them, scoops, vibrato, drift and jitter."""
    n_frames = len(plan.cents)
    time = np.arange(n_frames) * FRAME
    since = np.zeros(n_frames)  # seconds since the note's onset
    cents = plan.cents
    for i, note in enumerate(melody):
        own = 100.0 * note.pitch + np.clip(rng.normal(0, 6), -15, 15)
        first = _frame(note.onset) if i else 0
        since[first:] = time[first:] - note.onset
        is_joined = i > 0 and note.onset - melody[i - 1].offset < 0.15
        scoop = rng.random() < singer.scoop_ratio
        before = cents[first - 1] if is_joined else own - (rng.uniform(60, 160) if scoop else 20)
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
    cents += 4 * _wander(n_frames, 2.0, rng) + 3 * _wander(n_frames, 40.0, rng)
    cents += singer.offset_cents


def _coloured(bank: SyllableBank, singer: Singer) -> SyllableBank:
    """Return the bank with the singer's formants and breath."""
    warp = np.clip(_HZ / singer.formant, 0, _HZ[-1]) / _HZ[1]
    low = np.minimum(warp.astype(np.int64), BINS - 2)
    share = (warp - low).astype(np.float32)

    def warped(values: NDArray[np.float32]) -> NDArray[np.float32]:
        out: NDArray[np.float32] = values[:, low] * (1 - share) + values[:, low + 1] * share
        return out

    noisy = (singer.breath * np.clip((_HZ - 800) / 4000, 0, 1)).astype(np.float32)
    aperiodicity = 1 - (1 - warped(bank.aperiodicity)) * (1 - noisy)
    return SyllableBank(warped(bank.log_power), aperiodicity, bank.is_voiced, bank.marks)


def _vowels(bank: SyllableBank) -> SyllableBank:
    """Return the bank with syllables that are vowels only."""
    marks = bank.marks.copy()
    marks[:, 0], marks[:, 3] = marks[:, 1], marks[:, 2]
    return SyllableBank(bank.log_power, bank.aperiodicity, bank.is_voiced, marks)


def _synthesise(plan: _Plan, bank: SyllableBank, n_samples: int) -> NDArray[np.float32]:
    """Return the plan's sound, shape (n_samples,); only where it is not silent is worked on."""
    vocoder = world()
    out = np.zeros(n_samples, np.float32)
    sounding = (plan.level_db > _SILENT_DB + 20).astype(np.int8)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], sounding, [0]])))
    hz = 440.0 * 2.0 ** ((plan.cents - 6900) / 1200)
    tilt = (np.clip(_HZ / 3000, 0, 1.5) * 6 * np.log(10) / 10).astype(np.float32)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        part = slice(start, end)
        low = np.minimum(plan.source[part].astype(np.int64), len(bank.is_voiced) - 2)
        share = (plan.source[part] - low).astype(np.float32)[:, None]
        gain = plan.level_db[part].astype(np.float32) * np.float32(np.log(10) / 10)
        power = bank.log_power[low] * (1 - share) + bank.log_power[low + 1] * share
        power += gain[:, None] + plan.effort[part].astype(np.float32)[:, None] * tilt
        noise = bank.aperiodicity[low] * (1 - share) + bank.aperiodicity[low + 1] * share
        is_voiced = bank.is_voiced[np.rint(plan.source[part]).astype(np.int64)]
        f0 = np.where(is_voiced & ~plan.is_breath[part], hz[part], 0.0)
        sound = vocoder.synthesize(
            f0,
            np.exp(np.maximum(power, _FLOOR)).astype(np.float64),  # 0 would have no logarithm
            np.clip(noise, 0.001, 0.999).astype(np.float64),
            SAMPLE_RATE,
            1000 * FRAME,
        )
        first = round(start * FRAME * SAMPLE_RATE)
        n = min(len(sound), n_samples - first)
        out[first : first + n] += sound[:n]
    return out
