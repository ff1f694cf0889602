"""Which channels of an input are heard."""

import numpy as np
import pytest

from engine.audio.devices.channels import ChannelPick
from engine.core.errors import ConfigError, DeviceError
from engine.core.settings import AudioSettings
from tests.messages import refused

BLOCK = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.mark.parametrize(
    ("wanted", "n_opened", "heard"),
    [(None, 2, [0, 1]), ((3,), 3, [2]), ((4, 1), 4, [3, 0]), ((1, 2, 3, 4), 4, [0, 1, 2, 3])],
)
def test_wanted_channels_are_picked(
    wanted: tuple[int, ...] | None, n_opened: int, heard: list[int]
) -> None:
    pick = ChannelPick(wanted, 4, "Mixer")
    assert (pick.n_opened, pick.n_picked) == (n_opened, len(heard))
    np.testing.assert_array_equal(pick(BLOCK[:, :n_opened]), BLOCK[:, heard])


def test_a_mono_device_is_mono() -> None:
    assert ChannelPick(None, 1, "Mic").n_picked == 1


def test_a_channel_that_is_not_there_is_told() -> None:
    with refused(DeviceError, "Mixer has 4 channels", "audio.channels", "5", "1 to 4"):
        ChannelPick((1, 5), 4, "Mixer")


@pytest.mark.parametrize("channels", [(), (0,), (65,), (1, 1), (True,)])
def test_what_is_no_channel_is_refused(channels: tuple[int, ...]) -> None:
    with refused(ConfigError, "audio.channels"):
        AudioSettings(channels=channels)


def test_gain_has_its_range() -> None:
    with refused(ConfigError, "audio.gain_db", "-60", "60", "dB"):
        AudioSettings(gain_db=61.0)
