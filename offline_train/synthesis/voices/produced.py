"""A lead as records have it: doubled, compressed, its s softened, echoed; and what is sung behind.

Sounds are float32 (n,) at ``SAMPLE_RATE``. Not here: how one singer sings (``voice``), and the mix
(``synthesis.mixing``).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pedalboard
from numpy.typing import NDArray
from pedalboard import Pedalboard  # type: ignore[attr-defined]  # its stubs hide it

from offline_train.corpora import Note
from offline_train.synthesis.voices.manners import draw_pop_singer
from offline_train.synthesis.voices.syllables import SAMPLE_RATE
from offline_train.synthesis.voices.voice import Vocoder, choir, choose, sing
from offline_train.synthesis.voices.voices import Voice

Array = NDArray[np.float32]

DOUBLED_SHARE = 0.35
OCTAVE_SHARE = 0.15  # of doubles
DOUBLE_DB = (-12.0, -2.0)
LATE_S = 0.025  # a double comes as much later at most
SIBILANCE_HZ = 5000.0
CHOIR_RANGE = range(48, 80)
"""Pitches that a choir sings."""


def sing_lead(
    melody: Sequence[Note],
    seconds: float,
    rng: np.random.Generator,
    voices: Sequence[Voice],
    vocoder: Vocoder | None = None,
) -> Array:
    """Return the tune sung by a pop singer, perhaps doubled, through a chain of effects."""
    voice = choose(voices, melody, rng)
    singer = draw_pop_singer(voice, rng)
    lead = sing(melody, seconds, rng, [voice], vocoder=vocoder, draw=lambda *_: singer)
    if rng.random() < DOUBLED_SHARE:
        octave = 12 * int(rng.choice((-1, 1))) if rng.random() < OCTAVE_SHARE else 0
        late = rng.uniform(0, LATE_S)
        moved = [
            n._replace(pitch=n.pitch + octave, onset=n.onset + late, offset=n.offset + late)
            for n in melody
        ]
        second = replace(singer, offset_cents=rng.uniform(-14, 14), is_tuned=False)
        double = sing(moved, seconds, rng, [voice], vocoder=vocoder, draw=lambda *_: second)
        lead = lead + double * np.float32(10 ** (rng.uniform(*DOUBLE_DB) / 20))
    return process(lead, rng)


def sing_behind(
    chords: Sequence[Note], seconds: float, rng: np.random.Generator, voices: Sequence[Voice]
) -> tuple[Array, list[Note]]:
    """Return chords sung on vowels by three voices, and the notes that they sing."""
    notes = [note for note in chords if note.pitch in CHOIR_RANGE]
    return process(choir(notes, seconds, rng, voices, n_singers=3), rng), notes


def process(voice: Array, rng: np.random.Generator) -> Array:
    """Return a voice as long, through what engineers do with it: its level and time stay."""
    soft = _de_essed(voice, rng)
    chain: list[pedalboard.Plugin] = [
        pedalboard.HighpassFilter(float(rng.uniform(60, 160))),
        pedalboard.Compressor(
            float(rng.uniform(-36, -18)),
            float(rng.uniform(2, 8)),
            float(rng.uniform(1, 15)),
            float(rng.uniform(50, 250)),
        ),
        pedalboard.PeakFilter(float(rng.uniform(250, 700)), float(rng.uniform(-6, 4)), 0.8),
        pedalboard.PeakFilter(float(rng.uniform(2000, 4500)), float(rng.uniform(-3, 7)), 0.7),
    ]
    if rng.random() < 0.15:
        chain.append(pedalboard.Distortion(float(rng.uniform(3, 12))))
    if rng.random() < 0.4:
        chain.append(
            pedalboard.Delay(
                float(rng.uniform(0.07, 0.4)),
                float(rng.uniform(0.0, 0.35)),
                float(rng.uniform(0.05, 0.25)),
            )
        )
    if rng.random() < 0.75:
        chain.append(
            pedalboard.Reverb(
                room_size=float(rng.uniform(0.1, 0.9)),
                damping=float(rng.uniform(0.2, 0.9)),
                wet_level=float(rng.uniform(0.03, 0.3)),
            )
        )
    return np.asarray(Pedalboard(chain)(soft, SAMPLE_RATE)[: len(voice)], np.float32)


def _de_essed(voice: Array, rng: np.random.Generator) -> Array:
    """Return a voice whose highest band is compressed on its own."""
    high = Pedalboard([pedalboard.HighpassFilter(SIBILANCE_HZ)])(voice, SAMPLE_RATE)
    compressor = pedalboard.Compressor(float(rng.uniform(-45, -25)), 4.0, 0.5, 40.0)
    return np.asarray(voice - high + Pedalboard([compressor])(high, SAMPLE_RATE), np.float32)
