"""What is said where one program's sound cannot be had."""

import pytest

from engine.audio.programs.opening import list_programs, open_program
from engine.core.errors import DeviceError
from engine.core.settings import AudioSettings
from tests.messages import refused


@pytest.mark.parametrize(("platform", "how"), [("win32", "Volume mixer"), ("darwin", "BlackHole")])
def test_elsewhere_it_is_said_what_to_do(platform: str, how: str) -> None:
    with refused(DeviceError, "Linux only", how, "--input loopback"):
        open_program("app:Firefox", AudioSettings(), platform)
    assert list_programs(platform) == []


def test_a_name_is_needed() -> None:
    with refused(DeviceError, "app:Firefox", "livecover devices"):
        open_program("app: ", AudioSettings(), "linux")
