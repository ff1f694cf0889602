"""Renders a take after its end: the piano, and a mix of song and piano.

From the take's notes, not from the output, so that no note is late or missing. Both files begin
with the take, to the sample. Audio is (n, 2) float32.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.midi.messages import Message, message
from engine.playback.piano import Synth
from engine.system.paths import system_path
from livecover.takes.files import TakeFiles
from livecover.takes.flac import FlacFile
from livecover.takes.journal import Contents
from livecover.takes.midi import closed

Array = NDArray[np.float32]

SAMPLE_RATE = 44100
"""Of a take without a song."""
BLOCK_S = 1.0
RING_S = 3.0
"""Seconds after the last note, for its decay."""


def render_take(
    files: TakeFiles, contents: Contents, open_synth: Callable[[int], Synth]
) -> list[Path]:
    """Write the piano's FLAC, and the mix with the take's first song; return the files.

    Parameters
    ----------
    files, contents
        Of a take that has ended.
    open_synth
        Opens the piano at a sample rate.

    Raises
    ------
    DeviceError
        The piano cannot be opened.
    OSError
        A file cannot be written.
    """
    song = files.folder / contents.songs[0] if contents.songs else None
    rate = SAMPLE_RATE if song is None else soundfile.info(system_path(song)).samplerate
    events = closed(contents.events, contents.seconds)
    messages = [(round(event.time * rate), message(event)) for event in events]
    n_samples = round((contents.seconds + RING_S) * rate)
    written = [files.piano] if song is None else [files.piano, files.mix]
    synth = open_synth(rate)
    try:
        with contextlib.ExitStack() as stack:
            piano_file = stack.enter_context(_flac(files.piano, rate))
            mix = None if song is None else _Mix(stack, song, files.mix, rate)
            for block in _blocks(synth, messages, n_samples, round(BLOCK_S * rate)):
                piano_file.write(block)
                if mix is not None:
                    mix.write(block)
    except soundfile.SoundFileError as error:
        raise OSError(str(error)) from error
    finally:
        synth.close()
    return written


class _Mix:
    """Writes the mix of song and piano."""

    def __init__(self, stack: contextlib.ExitStack, song: Path, mix: Path, rate: int) -> None:
        self._song = stack.enter_context(soundfile.SoundFile(system_path(song)))
        self._mix = stack.enter_context(_flac(mix, rate))

    def write(self, piano: Array) -> None:
        """Write a block of piano, with the song added as far as it goes."""
        sound: Array = self._song.read(len(piano), dtype="float32", always_2d=True)[:, :2]
        mix = piano.copy()
        mix[: len(sound)] += sound  # a mono song goes to both channels
        self._mix.write(np.clip(mix, -1.0, 1.0))


@contextlib.contextmanager
def _flac(path: Path, rate: int) -> Iterator[FlacFile]:
    """Yield a file that gets its name once it is whole."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)  # left by a program that was killed
    file = FlacFile(part, rate, 2)
    try:
        yield file
        file.close()
        part.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            file.close()
        part.unlink(missing_ok=True)
        raise


def _blocks(
    synth: Synth, messages: list[tuple[int, Message]], n_samples: int, size: int
) -> Iterator[Array]:
    """Yield the piano's audio, block by block."""
    done = 0
    for start in range(0, n_samples, size):
        stop = min(start + size, n_samples)
        own = []
        while done < len(messages) and messages[done][0] < stop:
            at, data = messages[done]
            own.append((at - start, data))
            done += 1
        yield synth.render(stop - start, own)
