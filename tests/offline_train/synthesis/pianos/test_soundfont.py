"""The small SoundFont: FluidSynth reads it, and its keys sound at their pitch and side."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.errors import DeviceError
from engine.playback.fluid import FluidPiano, _library
from livecover.sounds.synth import BUNDLED
from offline_train.synthesis.pianos import soundfont
from offline_train.synthesis.pianos.salamander import Piano
from offline_train.synthesis.pianos.soundfont import SAMPLE_RATE, TOPS, make_soundfont


def has_fluidsynth() -> bool:
    try:
        _library()
    except DeviceError:
        return False
    return True


pytestmark = pytest.mark.skipif(not has_fluidsynth(), reason="needs libfluidsynth")


class Sines:
    """A piano of sines, twice as loud on the left, louder from layer to layer."""

    def tone(self, pitch: int, layer: int) -> NDArray[np.int16]:
        t = np.arange(SAMPLE_RATE // 4) / SAMPLE_RATE
        hum = np.sin(2 * np.pi * hertz(pitch) * t) * layer * 1000
        return np.stack([hum, hum / 2], axis=1).astype(np.int16)


def hertz(pitch: int) -> float:
    return float(440 * 2 ** ((pitch - 69) / 12))


def struck(path: Path, pitch: int, velocity: int) -> NDArray[np.float32]:
    piano = FluidPiano(path, SAMPLE_RATE)
    sound = piano.render(6400, [(0, (0x90, pitch, velocity))])
    piano.close()
    return sound


def strongest(sound: NDArray[np.float32]) -> float:
    """The strongest frequency of the left side."""
    power = np.abs(np.fft.rfft(sound[:, 0] * np.hanning(len(sound)), 1 << 17))
    return float(power.argmax() * SAMPLE_RATE / (1 << 17))


def test_keys_sound_at_their_pitch_and_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soundfont, "ROOTS", range(57, 70, 6))
    path = tmp_path / "sines.sf3"
    path.write_bytes(make_soundfont(cast(Piano, Sines())))
    for pitch in (55, 60, 63, 69, 74):
        sound = struck(path, pitch, 100)
        assert strongest(sound) == pytest.approx(hertz(pitch), rel=3e-3)  # 5 cents
        left, right = np.abs(sound).max(axis=0)
        assert left > 1.5 * right


def test_the_piano_that_comes_along_is_even_from_layer_to_layer() -> None:
    assert strongest(struck(BUNDLED, 60, 100)) == pytest.approx(hertz(60), rel=3e-3)
    for top in TOPS[:-1]:
        softer, louder = (np.sqrt((struck(BUNDLED, 60, v) ** 2).mean()) for v in (top, top + 1))
        assert 0.9 < louder / softer < 1.25
