"""Random mixes of dry stems, mastered: mono float32 (n,) throughout.

Levels are relative to the stems' common loudness; ranges are those of records, stretched. Not
here: the stems (``stems``) and which passage of a piece is taken (``data.sampler``).
"""

from collections.abc import Sequence

import numpy as np
import pedalboard
from numpy.typing import NDArray
from pedalboard import Pedalboard  # type: ignore[attr-defined]  # its stubs hide it

Array = NDArray[np.float32]

MACHINE = "mma-"
GAINS_DB = {  # mean and deviation, by role
    "lead": (0.0, 3.5),
    "voice": (-1.0, 4.0),  # some 3 dB below a band
    "choir": (-9.0, 4.0),
    "second": (-6.0, 4.0),
    "bass": (-3.0, 4.0),
    "chords": (-5.0, 4.5),
    "pads": (-9.0, 4.5),
    "piano": (-5.0, 4.0),
    "drums": (-4.0, 4.5),
}
SHARE_AUDIBLE = {
    "second": 0.85,
    "choir": 0.5,
    "bass": 0.94,
    "chords": 0.92,
    "pads": 0.6,
    "piano": 0.5,
    "drums": 0.9,
}
AUDIBLE_DB = -20.0  # what lies further below the loudest stem need not be transcribed


def draw_gains(roles: Sequence[str], rng: np.random.Generator) -> Array:
    """Return the gain (stems,) of each stem, 0 for those left out: one band, or both at once.

    A melody that is sung is not often played as well. Other roles than ``GAINS_DB`` names, such
    as a solo's or a recording's, are mixed as they are.
    """
    has_machine = any(role.startswith(MACHINE) for role in roles)
    band = rng.choice(("hand", "machine", "both"), p=(0.4, 0.42, 0.18)) if has_machine else "hand"
    melody = "lead"
    if "voice" in roles:
        melody = str(rng.choice(("voice", "lead", "both"), p=(0.7, 0.18, 0.12)))
    gains = np.zeros(len(roles), np.float32)
    for k, role in enumerate(roles):
        part = role.removeprefix(MACHINE)
        mean, deviation = GAINS_DB.get(part, (0.0, 0.0))
        gain = 10 ** (rng.normal(mean, deviation) / 20)
        if part in ("lead", "voice"):
            is_audible = melody in (part, "both")
        elif part in ("bass", "chords", "pads", "drums"):
            is_audible = band in ("both", "machine" if role.startswith(MACHINE) else "hand")
            is_audible &= rng.random() < SHARE_AUDIBLE[part]
        else:
            is_audible = rng.random() < SHARE_AUDIBLE.get(part, 1.0)
        gains[k] = gain * is_audible
    if not gains.any():
        gains[:] = 1.0
    return gains


def audible(gains: Array) -> NDArray[np.bool_]:
    """Return which stems (stems,) are loud enough to be asked for."""
    is_audible: NDArray[np.bool_] = gains > gains.max() * 10 ** (AUDIBLE_DB / 20)
    return is_audible


def mix(stems: NDArray[np.int16], gains: Array) -> Array:
    """Return the sum (n,) of stems int16 (n, stems), its level that of a mix."""
    total = stems.astype(np.float32) @ (gains / np.float32(32768)).astype(np.float32)
    scale = 0.7 / max(float(np.abs(total).max(initial=0.0)), 0.05)
    return np.asarray(total * scale, np.float32)


def master(mix: Array, rng: np.random.Generator, sample_rate: int) -> Array:
    """Return a mix through a random chain: EQ, drive, room, compression, limiter, MP3, noise."""
    chain: list[pedalboard.Plugin] = [
        pedalboard.LowShelfFilter(float(rng.uniform(60, 300)), float(rng.uniform(-10, 9))),
        pedalboard.PeakFilter(float(rng.uniform(250, 1200)), float(rng.uniform(-8, 8)), 0.7),
        pedalboard.PeakFilter(float(rng.uniform(1200, 4500)), float(rng.uniform(-8, 8)), 0.9),
        pedalboard.HighShelfFilter(float(rng.uniform(2500, 6000)), float(rng.uniform(-14, 9))),
    ]
    if rng.random() < 0.06:  # a telephone, a small radio
        chain.append(pedalboard.HighpassFilter(float(rng.uniform(150, 400))))
        chain.append(pedalboard.LowpassFilter(float(rng.uniform(2500, 5000))))
    if rng.random() < 0.3:
        chain.append(pedalboard.Distortion(float(rng.uniform(2, 16))))
    if rng.random() < 0.7:
        chain.append(
            pedalboard.Reverb(
                room_size=float(rng.uniform(0.1, 0.9)),
                damping=float(rng.uniform(0.2, 0.9)),
                wet_level=float(rng.uniform(0.03, 0.35)),
            )
        )
    if rng.random() < 0.75:
        chain.append(
            pedalboard.Compressor(
                float(rng.uniform(-32, -10)),
                float(rng.uniform(1.5, 10)),
                float(rng.uniform(1, 30)),
                float(rng.uniform(50, 400)),
            )
        )
        chain.append(pedalboard.Gain(float(rng.uniform(0, 9))))
    if rng.random() < 0.5:
        chain.append(pedalboard.Limiter(float(rng.uniform(-9, -1)), float(rng.uniform(50, 300))))
    if rng.random() < 0.25:
        chain.append(pedalboard.MP3Compressor(float(rng.uniform(2, 8))))
    out = Pedalboard(chain)(mix, sample_rate)
    level = np.exp(rng.uniform(np.log(0.05), 0.0)) / max(float(np.abs(out).max(initial=0.0)), 1e-6)
    noise = 10 ** (rng.uniform(-95, -45) / 20) * rng.standard_normal(len(out), np.float32)
    return np.asarray(out[: len(mix)] * level + noise[: len(out)], np.float32)
