import numpy as np
import pytest

from offline_train.corpora import Note
from offline_train.synthesis.pianos.modelled import LONGEST_S, ModelledPiano

RATE = 16000


def piano(seed: int = 0) -> ModelledPiano:
    return ModelledPiano(np.random.default_rng(seed), RATE)


def level(sound: np.ndarray) -> float:
    return float(np.sqrt(np.square(sound).mean()))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("pitch", [33, 60, 84, 100])
def test_a_tone_is_at_its_pitch(pitch: int, seed: int) -> None:
    tone = piano(seed).tone(pitch, 90, 1.0)[:RATE]
    spectrum = np.abs(np.fft.rfft(tone * np.hanning(RATE)))  # a bin a hertz
    hz = 440 * 2 ** ((pitch - 69) / 12)
    near = [
        spectrum[round(k * hz * 0.975) : round(k * hz * 1.025) + 2].max()
        for k in range(1, int(0.45 * RATE / hz))
    ]
    assert max(near) == spectrum[20:].max()


def test_a_tone_begins_at_once_decays_and_is_damped() -> None:
    tone = piano().tone(60, 90, 2.0)
    assert level(tone[: RATE // 50]) > 0.2 * level(tone[: RATE // 2])
    assert level(tone[RATE : RATE * 3 // 2]) < level(tone[: RATE // 2])
    key_up = 2 * RATE
    assert level(tone[-RATE // 50 :]) < 0.1 * level(tone[key_up - RATE // 4 : key_up])
    assert len(piano().tone(100, 90, 0.1)) == LONGEST_S * RATE  # there is no damper up there


def test_a_soft_stroke_is_softer_and_duller() -> None:
    loud, soft = (piano().tone(60, velocity, 0.5) for velocity in (110, 30))
    assert level(soft) < 0.3 * level(loud)

    def brightness(tone: np.ndarray) -> float:
        power = np.square(np.abs(np.fft.rfft(tone[:4000])))
        return float((power * np.arange(len(power))).sum() / power.sum())

    assert brightness(soft) < brightness(loud)


def test_a_seed_is_a_piano() -> None:
    notes = [Note(0.1, 0.4, 60, 80), Note(0.3, 0.9, 64, 80), Note(5.0, 6.0, 67, 80)]
    one, same, other = (piano(seed).play(notes, 1.0) for seed in (1, 1, 2))
    assert len(one) == RATE and one.dtype == np.float32
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.01
    assert not one[: RATE // 10].any()
