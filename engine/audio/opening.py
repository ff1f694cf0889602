"""Opening an audio source by the text after ``--input``, and listing inputs.

Sources: files (``files``), PortAudio (``devices``), what the computer plays (``loopback``).
"""

import logging
import os
import re
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from engine.audio.decoding.opening import open_song
from engine.audio.devices.device import DeviceSource, list_devices
from engine.audio.devices.source import AudioSource, InputInfo
from engine.audio.files.song_source import SongSource
from engine.audio.files.standard_input import STANDARD_INPUT, song_on_standard_input
from engine.audio.loopback.opening import LOOPBACK, list_loopbacks, open_loopback
from engine.audio.loopback.together import TOGETHER, open_together
from engine.audio.programs.opening import PROGRAM, list_programs, open_program
from engine.core.errors import DeviceError
from engine.core.settings import AudioSettings
from engine.system.file_kinds import FILE_SUFFIXES
from engine.system.paths import exists, given_path

__all__ = [
    "AudioSource",
    "DeviceSource",
    "InputInfo",
    "SongSource",
    "is_file_input",
    "list_inputs",
    "open_song",
    "open_source",
]

_URL = re.compile(r"file:|[a-z][a-z0-9+.-]+://|www\.", re.IGNORECASE)

_log = logging.getLogger(__name__)


def is_file_input(text: str) -> bool:
    """Return whether ``text`` after ``--input`` means a file, there or not; standard input is one.

    >>> is_file_input("song.mp3"), is_file_input("loopback"), is_file_input("USB Audio 1/2")
    (True, False, False)
    """
    if text in (LOOPBACK, TOGETHER, "mic") or text.startswith(PROGRAM):
        return False
    if text == STANDARD_INPUT:
        return True
    separators = [s for s in (os.sep, os.altsep) if s]
    has_folder = any(text.startswith(("." + s, ".." + s, "~" + s, s)) for s in separators)
    has_suffix = Path(text).suffix.lower() in FILE_SUFFIXES
    return has_suffix or has_folder or _URL.match(text) is not None or exists(text)


def open_source(text: str, settings: AudioSettings, paced: bool = True) -> AudioSource:
    """Return the source that ``text`` means, not started.

    Parameters
    ----------
    text
        ``loopback``, ``together``, ``mic``, an audio file, ``-`` for one on standard input, a
        loopback that ``livecover devices`` lists, ``app:`` and a program's name, or a device's
        index, name or part of a name.
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
        return open_song(path_of_input(text), paced, settings.block_size)
    if text == LOOPBACK:
        return open_loopback(settings)
    if text == TOGETHER:
        return open_together(settings)
    if text.startswith(PROGRAM):
        return open_program(text, settings)
    if text.endswith(".monitor"):  # a PulseAudio monitor
        return open_loopback(settings, text)
    return DeviceSource(text, settings.block_size, settings.sample_rate, settings.channels)


def path_of_input(text: str) -> Path:
    """Return the file that ``text`` after ``--input`` means: a path, or one as file:// has it.

    Of ``-`` that is what came on standard input. Raises DeviceError for an address on the web or
    an empty input, and ConfigError as ``given_path``.

    >>> path_of_input("file:///songs/one%20two.wav").as_posix()
    '/songs/one two.wav'
    """
    if text == STANDARD_INPUT:
        return song_on_standard_input()
    if not _URL.match(text):
        return given_path(text)
    url = urlsplit(text)
    if url.scheme.lower() != "file" or url.netloc not in ("", "localhost"):
        raise DeviceError(
            f"{text} is an address, and livecover fetches nothing: download the song and give its"
            " file, or play it in a browser and give --input loopback"
        )
    return given_path(url2pathname(url.path))


def list_inputs() -> list[InputInfo]:
    """Return every input: loopbacks first, then programs that play, then PortAudio's devices.

    One that is missing on this machine is logged and left out. Raises DeviceError where all are.
    """
    found: list[InputInfo] = []
    failures: list[str] = []
    for list_them in (_list_loopbacks_and_programs, list_devices):
        try:
            found += list_them()
        except DeviceError as error:
            failures.append(str(error))
    if len(failures) == 2:
        raise DeviceError("; ".join(failures))
    for failure in failures:
        _log.warning("%s", failure)
    return found


def _list_loopbacks_and_programs() -> list[InputInfo]:
    return [*list_loopbacks(), *list_programs()]
