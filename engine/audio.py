"""Audio in, whatever the way: ``open_source`` for the text after ``--input``, ``list_inputs``.

The ways: ``audio_file`` (files), ``audio_device`` (PortAudio), ``loopback`` (what the computer
plays). What they share: ``audio_source``.
"""

import logging
import os
from pathlib import Path

from engine.audio_device import DeviceSource, list_devices
from engine.audio_file import SUFFIXES, FileSource
from engine.audio_source import AudioSource, InputInfo
from engine.errors import DeviceError
from engine.loopback import LOOPBACK, list_loopbacks, open_loopback
from engine.paths import exists, given_path
from engine.settings import AudioSettings

__all__ = [
    "AudioSource",
    "DeviceSource",
    "FileSource",
    "InputInfo",
    "is_file_input",
    "list_inputs",
    "open_source",
]

_log = logging.getLogger(__name__)


def is_file_input(text: str) -> bool:
    """Return whether ``text`` after ``--input`` means a file, there or not.

    >>> is_file_input("song.mp3"), is_file_input("loopback"), is_file_input("USB Audio")
    (True, False, False)
    """
    if text in (LOOPBACK, "mic"):
        return False
    separators = [s for s in (os.sep, os.altsep) if s]
    has_folder = any(text.startswith(("." + s, ".." + s, "~" + s, s)) for s in separators)
    return Path(text).suffix.lower() in SUFFIXES or has_folder or exists(text)


def open_source(text: str, settings: AudioSettings, paced: bool = True) -> AudioSource:
    """Return the source that ``text`` means, not started.

    Parameters
    ----------
    text
        ``loopback``, ``mic``, an audio file, a loopback that ``livecover devices`` lists, or a
        device's index, name or part of a name.
    settings
        Block size and sample rate.
    paced
        Whether a file is played in time.

    Raises
    ------
    DeviceError
        There is no such input, or it cannot be used.
    """
    if is_file_input(text):
        return FileSource(given_path(text), paced, settings.block_size)
    if text == LOOPBACK:
        return open_loopback(settings)
    if text.endswith(".monitor"):  # a PulseAudio monitor
        return open_loopback(settings, text)
    return DeviceSource(text, settings.block_size, settings.sample_rate)


def list_inputs() -> list[InputInfo]:
    """Return every input: loopbacks first, then PortAudio's devices.

    A way that is missing on this machine is logged and left out. Raises DeviceError where all are.
    """
    found: list[InputInfo] = []
    failures: list[str] = []
    for way in (list_loopbacks, list_devices):
        try:
            found += way()
        except DeviceError as error:
            failures.append(str(error))
    if len(failures) == 2:
        raise DeviceError("; ".join(failures))
    for failure in failures:
        _log.warning("%s", failure)
    return found
