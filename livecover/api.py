"""The Python API: each function adds one conversion. Nothing here prints.

``posteriors``      samples to probabilities, a row a frame
``cover_samples``   samples to notes
``cover``           a file to notes
``write_cover``     a file to a MIDI file; ``livecover --input FILE --midi-out FILE`` is this
``open_engine``     live: a source to a sink, each by its name or one of your own

Settings are a mapping with names as in config.toml, ``{"model.style": "calm"}``; others have their
defaults, and no settings file is read. Errors are :class:`LiveCoverError`; warnings go to the
logger ``engine``.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.audio.devices.block_source import BlockSource
from engine.audio.devices.source import AudioSource
from engine.audio.opening import open_song, open_source, path_of_input
from engine.core.errors import ConfigError, DataError, LiveCoverError
from engine.core.note_tracker import whole_notes
from engine.core.notes import Note, NoteEvent, PedalEvent, Posteriors
from engine.core.settings import AudioSettings
from engine.core.taps import Tap
from engine.cover.stream import open_pipeline
from engine.live.engine import Engine
from engine.midi.function_sink import FunctionSink
from engine.midi.sinks import MidiSink, open_sink
from engine.model.cover_model import join_posteriors
from engine.model.window_model import WindowModel
from engine.signal.conditioning import PRIME_S, conditioned_blocks
from engine.whole_song.cover import Cover, cover_file, cover_song
from livecover.settings.sections import Settings, with_values

__all__ = [
    "BlockSource",
    "Cover",
    "Engine",
    "FunctionSink",
    "LiveCoverError",
    "Note",
    "NoteEvent",
    "PedalEvent",
    "Posteriors",
    "cover",
    "cover_samples",
    "open_engine",
    "posteriors",
    "write_cover",
]
Array = NDArray[np.float32]
Given = Mapping[str, object] | Settings | None
"""Settings by name, or all of them; None for the defaults."""
LEAST_RATE, HIGHEST_RATE = 4000, 768000  # Hz, as audio.sample_rate


def posteriors(samples: ArrayLike, sample_rate: int, settings: Given = None) -> Posteriors:
    """Return a model's onset, frame and velocity of 88 pitches for each frame.

    Parameters
    ----------
    samples
        (n,) or (n, channels), in [-1, 1].
    sample_rate
        Hertz, of the samples.
    settings
        Of section ``model``.

    Raises
    ------
    DataError
        The samples are of another shape, or not all finite.
    ModelError, ConfigError
        The model cannot be opened; a setting is wrong.

    Examples
    --------
    >>> import numpy as np
    >>> silence = posteriors(np.zeros(16000), 16000)
    >>> silence.onset.shape, silence.frames[-1]
    ((63, 88), np.int64(62))
    """
    chosen, song = _all(settings), _Samples(samples, sample_rate)
    pipeline = open_pipeline(chosen.model)
    if isinstance(pipeline.model, WindowModel):
        pipeline.model = pipeline.model.offline_variant()
    blocks = list(conditioned_blocks(song, pipeline.spec.features.sample_rate))
    sound = np.concatenate(blocks)
    pipeline.reset()
    pipeline.prime(sound[: round(PRIME_S * pipeline.spec.features.sample_rate)])
    return join_posteriors([*map(pipeline.push, blocks), pipeline.flush()])


def cover_samples(samples: ArrayLike, sample_rate: int, settings: Given = None) -> list[Note]:
    """Return the notes of a sound's cover, by onset; parameters and errors as ``posteriors``.

    Examples
    --------
    >>> import numpy as np
    >>> cover_samples(np.zeros(16000), 16000)
    []
    """
    chosen, song = _all(settings), _Samples(samples, sample_rate)
    return whole_notes(cover_song(song, chosen).events)


def cover(song: str | os.PathLike[str], settings: Given = None) -> list[Note]:
    """Return the notes of a song's cover, by onset.

    Parameters
    ----------
    song
        An audio file: WAV, FLAC, OGG, MP3 and others that libsndfile reads.
    settings
        Of sections ``model``, ``decoder``, ``play``, ``midi`` and ``gate``.

    Raises
    ------
    DeviceError
        The file is missing, or not audio.
    ModelError, ConfigError
        The model cannot be opened; a setting is wrong.
    """
    chosen = _all(settings)
    source = open_song(path_of_input(os.fspath(song)), paced=False)
    return whole_notes(cover_song(source, chosen).events)


def write_cover(
    song: str | os.PathLike[str],
    midi_out: str | os.PathLike[str] | Sequence[str],
    settings: Given = None,
    on_progress: Callable[[float], None] | None = None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Cover:
    """Cover a song into a MIDI file, or several; return what was written.

    Parameters
    ----------
    song, settings
        As ``cover`` takes them.
    midi_out
        FILE.mid, which is written anew.
    on_progress
        Called with the share done, 0 to 1, about twice a second of audio.
    is_stopped
        Called as often; when it returns True, the notes found so far are written.

    Raises
    ------
    LiveCoverError
        As ``cover``; MidiError if a file cannot be written.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from livecover import examples
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "cover.mid")
    ...     written = write_cover(examples.path(), path)
    ...     path.exists(), written.is_whole, written.n_notes > 100
    (True, True, True)
    """
    names = [midi_out] if isinstance(midi_out, str | os.PathLike) else midi_out
    values = {"audio.input": os.fspath(song), "midi.midi_out": [os.fspath(n) for n in names]}
    return cover_file(with_values(_all(settings), values), on_progress, is_stopped)


def open_engine(
    source: AudioSource | str | os.PathLike[str] = "loopback",
    sink: MidiSink | str | Sequence[str] = "LiveCover",
    settings: Given = None,
    taps: Sequence[Tap] = (),
) -> Engine:
    """Return an engine that plays live within ``with``; ``wait`` returns at the song's end.

    Parameters
    ----------
    source
        ``loopback``, ``mic``, a file, a device; or one of your own, such as :class:`BlockSource`.
    sink
        Ports and MIDI files; or one of your own, such as :class:`FunctionSink`.
    settings
        Of the engine.
    taps
        Get the blocks, the notes found and the notes sent.

    Raises
    ------
    LiveCoverError
        The model, the source or an output cannot be opened, or the latency is too short.

    Examples
    --------
    A second of silence, in blocks of 10 ms, as fast as possible; nothing is played.

    >>> import numpy as np
    >>> blocks = (np.zeros(160, np.float32) for _ in range(100))
    >>> played = []
    >>> source = BlockSource(blocks, sample_rate=16000, block_size=160)
    >>> with open_engine(source, FunctionSink(played.append)) as engine:
    ...     engine.wait()
    True
    >>> played
    []
    """
    values: dict[str, object] = {}
    open_a_source: Callable[[str, AudioSettings], AudioSource] = open_source
    open_a_sink: Callable[[Sequence[str], Sequence[MidiSink]], MidiSink] = open_sink
    if isinstance(source, str | os.PathLike):
        values["audio.input"] = os.fspath(source)
    else:
        open_a_source = _giving(source)
        values["audio.input"] = source.name
    if isinstance(sink, str | Sequence):
        values["midi.midi_out"] = [sink] if isinstance(sink, str) else list(sink)
    else:
        own = sink

        def open_a_sink(names: Sequence[str], already: Sequence[MidiSink] = ()) -> MidiSink:
            return own

    return Engine(
        with_values(_all(settings), values),
        taps,
        open_source=open_a_source,
        open_sink=open_a_sink,
    )


def _giving(source: AudioSource) -> Callable[[str, AudioSettings], AudioSource]:
    """Return a function that returns this source, also after it was lost."""

    def open_it(text: str, settings: AudioSettings) -> AudioSource:
        if source.is_alive():
            raise ConfigError(
                f"{source.name} is a source of your own and plays: audio settings cannot change"
                " while it does; open another engine"
            )
        return source

    return open_it


def _all(settings: Given) -> Settings:
    """Return all settings. Raises ConfigError."""
    if isinstance(settings, Settings):
        return settings
    return with_values(Settings(), {} if settings is None else settings)


class _Samples:
    """Samples as a song that is there as a whole."""

    name = "the samples"

    def __init__(self, samples: ArrayLike, sample_rate: int) -> None:
        sound = np.asarray(samples)
        if sound.dtype.kind != "f" or sound.ndim not in (1, 2) or sound.shape[1:] == (0,):
            raise DataError(
                "expected samples (n,) or (n, channels), floating-point from -1 to 1, got"
                f" {sound.dtype} of shape {sound.shape}: divide whole numbers by their highest"
            )
        self._sound: Array = np.asarray(sound if sound.ndim == 2 else sound[:, None], np.float32)
        if not np.isfinite(self._sound).all():
            raise DataError("expected finite samples, got NaN or infinity: remove them first")
        if not LEAST_RATE <= sample_rate <= HIGHEST_RATE:
            raise DataError(
                f"expected a sample rate from {LEAST_RATE} to {HIGHEST_RATE} Hz, got"
                f" {sample_rate!r}: give that of the samples"
            )
        self.sample_rate = int(sample_rate)
        self.n_channels = self._sound.shape[1]
        self.position = 0.0

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self._sound) / self.sample_rate

    def head(self, seconds: float) -> Array:
        """Return the first seconds, (n, channels)."""
        return self._sound[: round(seconds * self.sample_rate)]

    def blocks(self, block_size: int) -> Iterator[Array]:
        """Yield blocks (n, channels)."""
        for start in range(0, len(self._sound), block_size):
            block = self._sound[start : start + block_size]
            self.position = (start + len(block)) / self.sample_rate
            yield block
