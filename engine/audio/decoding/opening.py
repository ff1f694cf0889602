"""Opening a song in a file by what reads it: libsndfile, PyAV, or the program ffmpeg."""

from collections.abc import Sequence
from pathlib import Path

from engine.audio.decoding.decoded_source import DecodedSource
from engine.audio.decoding.decoder import Decoder, DecodingError
from engine.audio.decoding.ffmpeg import FfmpegDecoder
from engine.audio.decoding.pyav import PyAvDecoder
from engine.audio.files.file_source import FileSource
from engine.audio.files.song_source import SongSource
from engine.audio.files.sound_file import NotReadError
from engine.core.errors import DeviceError
from engine.system.file_kinds import may_hold_sound, why_no_audio

DECODERS: tuple[Decoder, ...] = (PyAvDecoder(), FfmpegDecoder())
"""Asked in this order for what libsndfile does not read."""


def open_song(
    path: Path | str,
    paced: bool = True,
    block_size: int = 256,
    decoders: Sequence[Decoder] = DECODERS,
) -> SongSource:
    """Return a song in a file as a source, not started.

    Parameters
    ----------
    path
        The file.
    paced
        Whether it is played in time.
    block_size
        Samples in a block.
    decoders
        For what libsndfile does not read.

    Raises
    ------
    DeviceError
        The file is missing or cannot be played: the message says why and what to do.
    """
    path = Path(path)
    try:
        return FileSource(path, paced, block_size)
    except NotReadError as error:
        if not may_hold_sound(path):
            raise
        installed = [decoder for decoder in decoders if decoder.is_there()]
        reasons = []
        for decoder in installed:
            try:
                return DecodedSource(path, paced, block_size, decoder)
            except OSError as fault:
                raise DeviceError(f"{path} cannot be read: {fault.strerror}") from fault
            except DecodingError as fault:
                reasons.append(f"{decoder.name}: {fault}")
        why = f"{error.reason}; {'; '.join(reasons)}" if reasons else error.reason
        raise DeviceError(why_no_audio(path, why, has_decoder=bool(installed))) from error
