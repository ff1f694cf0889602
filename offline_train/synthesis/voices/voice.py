"""Sings a melody: spoken syllables stretched to the notes and pitched by them, through WORLD.

A singer that no soundfont has: consonants before the onset, a formant for each vowel, glides,
vibrato, breath. The vowel starts within 8 ms of the note's onset, and the pitch is the note's, so
the labels hold. Dimensions: samples n, frames T of ``FRAME`` seconds; F frames of the bank. Not
here: when and at what pitch (``singing``), who sings and from what speech (``voices``).
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DataError
from offline_train.corpora import Note
from offline_train.synthesis.voices.singing import SILENT_DB, Plan, Singer, draw_singer, plan_line
from offline_train.synthesis.voices.syllables import BINS, FRAME, SAMPLE_RATE, SyllableBank, world
from offline_train.synthesis.voices.voices import (
    HELD_OUT_VOICES,
    TRAIN_VOICES,
    Voice,
    load_bank,
)

__all__ = ["TRAIN_VOICES", "HELD_OUT_VOICES", "Vocoder", "choir", "choose", "sing"]

Double = NDArray[np.float64]
Vocoder = Callable[[Double, Double, Double, int, float], Double]
"""(hertz (T,), power (T, bins), aperiodicity (T, bins), sample rate, ms a frame) -> samples."""

_HZ = np.linspace(0, SAMPLE_RATE / 2, BINS)
_SHORTEST = 0.03  # seconds; a shorter note is sung this long
_FLOOR = -50.0  # natural logarithm of power
_PEAK = 0.7


def sing(
    notes: Sequence[Note],
    duration: float,
    rng: np.random.Generator,
    voices: Sequence[Voice] = TRAIN_VOICES,
    sample_rate: int = SAMPLE_RATE,
    vocoder: Vocoder | None = None,
    draw: Callable[[Voice, np.random.Generator], Singer] = draw_singer,
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
    vocoder
        Makes sound of frames; WORLD's by default.
    draw
        Gives the singer to a voice.

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
    voice = choose(voices, melody, rng)
    sound = np.zeros(round(duration * SAMPLE_RATE), np.float32)
    if melody:
        singer = draw(voice, rng)
        sound = _perform(melody, len(sound), load_bank(voice), singer, rng, vocoder)
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
        voice = choose(voices, line, rng)
        singer = draw_singer(voice, rng)
        singer = Singer(
            singer.formant, singer.vibrato_hz, 0.5 * singer.vibrato_cents, singer.vibrato_delay,
            singer.glide, 0.0, 0.0, 0.0, singer.breath, SILENT_DB, rng.uniform(-12, 12),
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


def choose(voices: Sequence[Voice], melody: Sequence[Note], rng: np.random.Generator) -> Voice:
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
    vocoder: Vocoder | None = None,
) -> NDArray[np.float32]:
    """Return a line of notes sung, shape (n_samples,), with no given level."""
    n_frames = int(np.ceil(n_samples / SAMPLE_RATE / FRAME)) + 1
    plan = plan_line(melody, n_frames, bank, singer, rng)
    vocoder = vocoder or world().synthesize
    return _synthesise(plan, _coloured(bank, singer), n_samples, vocoder)


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


def _synthesise(
    plan: Plan, bank: SyllableBank, n_samples: int, vocoder: Vocoder
) -> NDArray[np.float32]:
    """Return the plan's sound, shape (n_samples,); only where it is not silent is worked on."""
    out = np.zeros(n_samples, np.float32)
    sounding = (plan.level_db > SILENT_DB + 20).astype(np.int8)
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
        sound = vocoder(
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
