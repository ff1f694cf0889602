"""A physical model of a piano with random parameters: strings in pairs, hammer, soundboard.

Few pianos are free, and a transcriber trained on few takes another one's strong second partial for
an octave. Each ``ModelledPiano`` has other partials, and no two of its strings are alike.

Stiff strings and the usual inharmonicity along the keyboard: Rigaud et al., "A parametric model and
estimation techniques for the inharmonicity and tuning of the piano", JASA 133, 2013. Two decays of
coupled strings: Weinreich, "Coupled piano strings", JASA 62, 1977.

Shapes: n samples, P partials; mono. Not here: room and mastering (``mixing``).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from offline_train.corpora import Note
from offline_train.corpora.notes import UNDAMPED

Array = NDArray[np.float32]

MAX_PARTIALS = 40
LONGEST_S = 6.0  # of a tone
FADE_S = 0.05  # of one that is cut there
BLOCK = 256  # samples; a tone is blocks times the samples of one, as a product of matrices
KEYS = 128


class ModelledPiano:
    """One piano, whose every property comes from ``rng``; ``sample_rate`` in hertz."""

    def __init__(self, rng: np.random.Generator, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._rng = rng
        keys = np.arange(KEYS)
        # Inharmonicity of bass and treble strings, after Rigaud et al.
        stiffness = np.exp(-0.0847 * keys - 5.82) + np.exp(0.0926 * keys - 13.64)
        self._stiffness = stiffness * np.exp(rng.normal(0, 0.35))
        stretch = rng.uniform(0, 0.25) * ((keys - 69) / 40) ** 3  # semitones: octaves are wide
        cents = rng.normal(rng.normal(0, 4), rng.uniform(0.5, 4), KEYS)
        self._pitch = keys + stretch + cents / 100
        self._tilt = rng.uniform(0.5, 1.5)  # of partials' amplitudes, at the loudest
        self._softness = rng.uniform(0.5, 2.0)  # how much steeper at the softest
        self._struck_at = rng.uniform(1 / 10, 1 / 6)  # of a string's length
        self._comb = rng.uniform(0.2, 0.8)  # how deep the partials there are missing
        self._brightness = rng.uniform(1200, 5000)  # Hz, of the hammer at the loudest
        self._lowest = rng.uniform(40, 160)  # Hz; the soundboard gives little below
        self._uneven = 10 ** (rng.normal(0, rng.uniform(1, 5), (KEYS, MAX_PARTIALS)) / 20)
        self._voicing = 10 ** (rng.normal(0, rng.uniform(0, 2.5), KEYS) / 20)
        self._body = (rng.uniform(4, 12.5, 6), rng.uniform(-7, 7, 6))  # log2 Hz, dB
        self._decay = np.exp(rng.normal(0, 0.35))
        self._second_share = rng.uniform(0.05, 0.4)  # of the string that rings on
        self._unison = rng.uniform(0.1, 1.6)  # cents
        self._range_db = rng.uniform(22, 45)  # from velocity 1 to 127
        self._release_s = rng.uniform(0.03, 0.14)
        self._thump = 10 ** (rng.uniform(-40, -16) / 20)

    def play(self, notes: Sequence[Note], seconds: float) -> Array:
        """Return the sound (n,) of notes, each as long as key or pedal holds it.

        What begins before or after the ``seconds`` is left out.
        """
        total = np.zeros(round(seconds * self.sample_rate), np.float32)
        for note in notes:
            start = round(note.onset * self.sample_rate)
            if not 0 <= start < len(total):
                continue
            tone = self.tone(note.pitch, note.velocity, note.offset - note.onset)
            tone = tone[: len(total) - start]
            total[start : start + len(tone)] += tone
        return total

    def tone(self, pitch: int, velocity: int, seconds: float) -> Array:
        """Return the sound (n,) of a key that is held so long."""
        damped_s = seconds if pitch < UNDAMPED else LONGEST_S
        release_s = self._release_s * 2 ** ((60 - pitch) / 24)
        n = round(min(damped_s + 6 * release_s, LONGEST_S) * self.sample_rate)
        hz, amplitudes = self._partials(pitch, velocity / 127)
        # High partials die soon; and each has a part that dies soon and one that rings on.
        rate = self._decay * (0.25 + (hz / 900) ** 1.1)
        rates = np.concatenate([2.5 * rate, 0.6 * rate])
        detuned = 2 ** (self._rng.normal(0, self._unison, len(hz)) / 1200)
        both = np.concatenate([hz, hz * detuned])
        second = self._second_share
        weights = np.concatenate([(1 - second) * amplitudes, second * amplitudes])
        phases = np.exp(1j * self._rng.uniform(-0.6, 0.6, len(both)))  # struck at one moment
        tone = self._sum_of(both, rates, weights * phases, n)
        self._strike(tone, float(amplitudes.sum()))
        key_up = round(damped_s * self.sample_rate)
        if key_up < n:
            after = np.arange(n - key_up, dtype=np.float32)
            tone[key_up:] *= np.exp(-after / np.float32(release_s * self.sample_rate))
        fade = min(n, round(FADE_S * self.sample_rate))
        tone[n - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
        return tone

    def _partials(self, pitch: int, velocity: float) -> tuple[NDArray[np.float64], ...]:
        """Return frequencies (P,) in hertz and amplitudes (P,)."""
        k = np.arange(1, MAX_PARTIALS + 1)
        f0 = 440 * 2 ** ((self._pitch[pitch] - 69) / 12)
        hz = k * f0 * np.sqrt(1 + self._stiffness[pitch] * k**2)
        steepness = self._tilt + self._softness * (1 - velocity)
        comb = 1 - self._comb + self._comb * np.abs(np.sin(np.pi * k * self._struck_at))
        hammer = self._brightness * (0.25 + 0.75 * velocity) * 2 ** ((pitch - 60) / 30)
        centres, gains = self._body
        bumps = gains * np.exp(-0.5 * ((np.log2(hz)[:, None] - centres) / 0.5) ** 2)
        board = hz**2 / (hz**2 + self._lowest**2) * 10 ** (bumps.sum(1) / 20)
        shape = k**-steepness * comb * np.exp(-hz / hammer) * board * self._uneven[pitch]
        loudness = 10 ** (self._range_db * (velocity - 1) / 20) * self._voicing[pitch]
        # Of the same power whatever its shape, so that velocity and voicing alone make it loud.
        shape = loudness * shape / np.sqrt(np.square(shape).sum())
        is_audible = (hz < 0.48 * self.sample_rate) & (shape > 1e-4 * shape.max())
        return hz[is_audible], shape[is_audible]

    def _sum_of(
        self,
        hz: NDArray[np.float64],
        rates: NDArray[np.float64],
        weights: NDArray[np.complex128],
        n: int,
    ) -> Array:
        """Return the sum (n,) of decaying sines."""
        per_sample = (2j * np.pi * hz - rates) / self.sample_rate
        blocks = np.arange(-(-n // BLOCK)) * BLOCK
        begins = weights[:, None] * np.exp(per_sample[:, None] * blocks)
        within = np.exp(per_sample[:, None] * np.arange(BLOCK))
        begins[np.abs(begins) < 1e-7] = 0  # numbers below the smallest are slow
        begins, within = begins.T.astype(np.complex64), within.astype(np.complex64)
        sines: Array = begins.real @ within.imag + begins.imag @ within.real
        return sines.reshape(-1)[:n]

    def _strike(self, tone: Array, loudness: float) -> None:
        """Let a tone begin within 2 ms, with the hammer's thump."""
        rise = min(len(tone), round(0.002 * self.sample_rate))
        tone[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)
        length = min(len(tone), round(0.12 * self.sample_rate))
        noise = self._rng.standard_normal(length).astype(np.float32)
        noise = np.convolve(noise, np.full(9, 1 / 9, np.float32), "same")  # dull
        fall = np.exp(-np.arange(length, dtype=np.float32) / np.float32(0.02 * self.sample_rate))
        tone[:length] += np.float32(self._thump * loudness) * noise * fall
