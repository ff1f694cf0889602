"""The vocoder of sines and noise: its pitch, its envelope, its noise."""

import numpy as np
import pytest

from offline_train.synthesis.voices.vocoder import synthesize

RATE, FRAME_MS, BINS = 16000, 5.0, 257


def frames(f0: float, aperiodicity: float, n: int = 200) -> np.ndarray:
    hz = np.linspace(0, RATE / 2, BINS)
    power = np.tile(np.exp(-0.5 * ((hz - 1000) / 300) ** 2) + 1e-6, (n, 1))
    return synthesize(np.full(n, f0), power, np.full((n, BINS), aperiodicity), RATE, FRAME_MS)


def spectrum(sound: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(np.fft.rfft(sound * np.hanning(len(sound)))))  # of a second: 1 Hz


def test_a_pitch_has_its_harmonics_under_the_envelope() -> None:
    sound = frames(200.0, 0.001)
    assert len(sound) == RATE
    heard = spectrum(sound)
    loudest = np.sort(np.argsort(heard)[-5:])
    assert loudest[2] == 1000  # the formant, which a harmonic falls on
    assert heard[1000] > 20 * heard[1100]  # between two harmonics
    assert heard[1400] / heard[1000] == pytest.approx(np.exp(-0.25 * (400 / 300) ** 2), rel=0.05)


def test_breath_is_noise_under_the_envelope_and_always_the_same() -> None:
    sound = frames(0.0, 1.0)
    heard = spectrum(sound)
    assert np.sqrt(np.mean(heard[800:1200] ** 2)) > 10 * np.sqrt(np.mean(heard[3000:3400] ** 2))
    np.testing.assert_array_equal(sound, frames(0.0, 1.0))


def test_what_has_no_pitch_is_noise_alone() -> None:
    np.testing.assert_allclose(frames(0.0, 0.0), frames(0.0, 1.0))
    assert float(np.abs(frames(150.0, 0.001)).max()) > 0


@pytest.mark.parametrize("f0", [80.0, 300.0])
def test_loudness_hardly_depends_on_pitch(f0: float) -> None:
    level = float(np.sqrt(np.mean(frames(f0, 0.001) ** 2)))
    assert level == pytest.approx(float(np.sqrt(np.mean(frames(160.0, 0.001) ** 2))), rel=0.5)
