"""Rung c's sound: a band with a singer, mastered hard and coded as MP3.

What produced songs have and rung b lacks. The band is rung b's, without its lead instrument; the
voice is one kept from training. Not here: recordings of singers (``recordings``). Unlike the chain
of training, where each stage is a matter of chance, every stage is always there. Audio is float32
(n, 2) at ``RENDER_RATE``.
"""

import numpy as np
import pedalboard
from numpy.typing import NDArray
from pedalboard import Pedalboard  # type: ignore[attr-defined]  # its stubs hide it

from offline_train.corpora import Song
from offline_train.synthesis.band_renders import HELD_OUT_SOUNDFONT
from offline_train.synthesis.bands.band import arrange
from offline_train.synthesis.bands.grooves import HELD_OUT_GROOVES
from offline_train.synthesis.render import RENDER_RATE, fluidsynth, mix, players_to_midi
from offline_train.synthesis.voices.voice import HELD_OUT_VOICES, sing

Audio = NDArray[np.float32]

VOICE_DB = (0.0, 6.0)  # above the lead instrument that the voice replaces, as singers are mixed
VOICE_PAN = 0.15
MP3_QUALITY = 5.0  # of LAME's variable bit rate: about 130 kbit/s


def render_sung(song: Song, band_rng: np.random.Generator, voice_rng: np.random.Generator) -> Audio:
    """Return the song (n, 2), its melody sung; the band comes from the first generator alone."""
    players = arrange(song, HELD_OUT_GROOVES, band_rng)
    lead = [player for player in players if player.role == "melody"]
    band = [player for player in players if player.role != "melody"]
    stems = [fluidsynth(players_to_midi(band), HELD_OUT_SOUNDFONT)] if band else []
    for player in lead:
        played = fluidsynth(players_to_midi([player]), HELD_OUT_SOUNDFONT)
        duration = len(played) / RENDER_RATE
        voice = sing(player.notes, duration, voice_rng, HELD_OUT_VOICES, RENDER_RATE)
        stems.append(_placed(voice, played, voice_rng))
    return master_hard(mix(stems), voice_rng)


def _placed(voice: NDArray[np.float32], played: Audio, rng: np.random.Generator) -> Audio:
    """Return the voice (n,) as (n, 2), as loud as the instrument it replaces, or louder."""
    loudness = [float(np.sqrt(np.mean(np.square(x, dtype=np.float64)))) for x in (voice, played)]
    gain = loudness[1] / max(loudness[0], 1e-6) * 10 ** (rng.uniform(*VOICE_DB) / 20)
    right = (1 + rng.uniform(-VOICE_PAN, VOICE_PAN)) / 2
    sides = np.sqrt(2) * np.array([np.sqrt(1 - right), np.sqrt(right)])
    return np.asarray(gain * voice[:, None] * sides, np.float32)


def master_hard(audio: Audio, rng: np.random.Generator, sample_rate: int = RENDER_RATE) -> Audio:
    """Return the mix (n, 2) through EQ, reverb, compressor, limiter and MP3, each always there."""
    chain: list[pedalboard.Plugin] = [
        pedalboard.HighpassFilter(float(rng.uniform(25, 60))),
        pedalboard.LowShelfFilter(float(rng.uniform(60, 250)), float(rng.uniform(-6, 9))),
        pedalboard.PeakFilter(float(rng.uniform(300, 3000)), float(rng.uniform(-6, 6)), 0.8),
        pedalboard.HighShelfFilter(float(rng.uniform(2500, 6000)), float(rng.uniform(-6, 9))),
        pedalboard.Reverb(
            room_size=float(rng.uniform(0.2, 0.7)), wet_level=float(rng.uniform(0.08, 0.3))
        ),
        pedalboard.Compressor(
            float(rng.uniform(-30, -18)), float(rng.uniform(3, 8)), float(rng.uniform(1, 10))
        ),
        pedalboard.Gain(float(rng.uniform(6, 12))),
        pedalboard.Limiter(float(rng.uniform(-3, -1)), float(rng.uniform(50, 200))),
        pedalboard.MP3Compressor(MP3_QUALITY),
    ]
    out = Pedalboard(chain)(np.ascontiguousarray(audio.T), sample_rate).T
    peak = max(float(np.abs(out).max(initial=0.0)), 1e-6)
    return np.asarray(out * (float(rng.uniform(0.5, 1.0)) / peak), np.float32)
