"""Opening a program's sound by the text after ``--input``, and listing the programs that play."""

import sys

from engine.audio.devices.source import AudioSource, InputInfo
from engine.audio.loopback.players import players_of
from engine.audio.loopback.pulse_server import ask_server, default_monitor
from engine.audio.programs.program_source import N_CHANNELS, ProgramSource
from engine.core.errors import DeviceError
from engine.core.settings import AudioSettings

PROGRAM = "app:"
"""What stands before a program's name after ``--input``."""
_ELSEWHERE = {
    "win32": "Windows gives it to programs by a call that neither SoundCard nor PyAudioWPatch has:"
    " choose an output of its own for the program in Settings, Sound, Volume mixer, make that the"
    " default output, and give --input loopback",
    "darwin": "choose BlackHole as output in the program itself, where it has such a setting, and"
    " give --input loopback",
}


def open_program(text: str, settings: AudioSettings, platform: str = sys.platform) -> AudioSource:
    """Return what a program plays as a source, not started.

    Parameters
    ----------
    text
        ``app:`` and the program's name.
    settings
        Block size, sample rate and channels.
    platform
        As ``sys.platform``.

    Raises
    ------
    DeviceError
        It cannot be had; the message says what to do.
    """
    name = text.removeprefix(PROGRAM).strip()
    if platform in _ELSEWHERE:
        raise DeviceError(f"one program's sound is recorded on Linux only; {_ELSEWHERE[platform]}")
    if not name:
        raise DeviceError(
            f"--input {PROGRAM} needs a program's name, as {PROGRAM}Firefox; 'livecover devices'"
            " lists those that play"
        )
    return ProgramSource(name, settings.block_size, settings.sample_rate, settings.channels)


def list_programs(platform: str = sys.platform) -> list[InputInfo]:
    """Return the programs that play, by their names in mixers. Raises DeviceError as above."""
    if platform in _ELSEWHERE:
        return []
    players = ask_server(lambda pulse: players_of(pulse.sink_input_list()))
    rate = ask_server(lambda pulse: int(default_monitor(pulse).sample_rate)) if players else 0
    return [
        InputInfo(None, player.name, N_CHANNELS, rate, True, f"{PROGRAM}{player.name}")
        for player in players
    ]
