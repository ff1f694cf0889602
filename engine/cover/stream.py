"""Blocks of a source to note events, without threads or clocks; shared by live and files.

One stream is one source from its first sample to its end or loss; times are seconds of it.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from engine.accompany.step_writer import PlayState
from engine.core.notes import Event
from engine.core.settings import EngineSettings, ModelSettings
from engine.cover.accompaniment import AccompanimentPlayer
from engine.cover.accompanying import Accompanying
from engine.cover.on_beat import BeatCoverPlayer
from engine.cover.player import CoverPlayer, Player
from engine.cover.style import style_vector
from engine.model.cover_model import CoverModel
from engine.model.pipeline import Pipeline, load_pipeline
from engine.signal.conditioning import InputConditioner
from engine.signal.gate import Gate
from engine.signal.stereo import in_turn, middle_of
from engine.signal.tuning import hertz_of

Array = NDArray[np.float32]


def open_pipeline(settings: ModelSettings) -> Pipeline:
    """Return the model that the settings name, in their style. Raises ModelError, ConfigError."""
    pipeline = load_pipeline(settings.model, settings.provider, settings.threads)
    pipeline.style = style_vector(settings.style, pipeline.spec)
    pipeline.tuning, pipeline.centre = settings.tuning, settings.centre
    return pipeline


class CoverStream:
    """Blocks (n, c) in, events out.

    Parameters
    ----------
    pipeline
        Front end and model; reset here, and used by this stream alone until its end.
    settings
        Of the decoder, the gate and the performance; :meth:`change` takes others.
    sample_rate, n_channels
        Of the blocks.
    accompanying
        What an accompaniment or a cover on the beat is made with; None where the cover is free.
    reserve
        Returns the seconds that a free cover's notes wait beyond what hearing them takes.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        settings: EngineSettings,
        sample_rate: int,
        n_channels: int,
        accompanying: Accompanying | None = None,
        reserve: Callable[[EngineSettings], float] = lambda _: 0.0,
    ) -> None:
        features = pipeline.spec.features
        pipeline.reset()
        self._pipeline = pipeline
        self._input = InputConditioner(sample_rate, features.sample_rate, n_channels)
        self._gate = Gate(settings.gate, features.sample_rate)
        self._player = _open_player(pipeline, settings, accompanying, reserve)
        self._sample_rate, self._hop_length = features.sample_rate, features.hop_length
        self._n_samples = 0  # that were taken or skipped
        self._n_samples_over = 0  # skipped ones that fill no frame yet
        self.n_skipped_frames = 0
        """Frames passed over because the machine was too slow; sleep is not among them."""

    @property
    def is_asleep(self) -> bool:
        """True while silence lasts."""
        return self._gate.is_asleep

    @property
    def a4_hz(self) -> float:
        """Estimated tuning: frequency of A4 in hertz."""
        return hertz_of(self._pipeline.cents)

    @property
    def resampler_delay(self) -> float:
        """Seconds that the resampler holds back."""
        return self._input.delay

    @property
    def accompanist(self) -> PlayState | None:
        """What the accompanist does in mode accompany; None where a cover is played."""
        player = self._player
        return player.state if isinstance(player, AccompanimentPlayer) else None

    def change(self, settings: EngineSettings) -> list[Event]:
        """Take other settings of the decoder and the performance; return the note-offs for them."""
        return list(self._player.change(settings))

    def exchange(self, model: CoverModel, is_whole: bool) -> list[Event]:
        """Go on with another model of the same graph; return what is played until then.

        Sounding notes end. What the model before holds is played if ``is_whole``.
        """
        pending = self._pipeline.exchange(model, is_whole)
        return list(self._player.skip(pending, self._now))

    def prime(self, block: Array) -> None:
        """Estimate DC offset, polarity, level and tuning from a song's first block (n, c).

        Before it is pushed.
        """
        self._pipeline.prime(self._input.prime(block))

    def push(self, block: Array) -> list[Event]:
        """Return the events that a block (n, c) completes, in time order."""
        samples = self._input.push(block)
        to_skip, to_process = self._gate.push(samples)
        return [*self._skip(to_skip), *self._process(to_process)]

    def skip(self, block: Array) -> list[Event]:
        """Skip a block (n, c) that there was no time for; sounding notes end."""
        samples = self._input.push(block)
        n_frames, self._n_samples_over = divmod(
            self._n_samples_over + len(samples), self._hop_length
        )
        self.n_skipped_frames += n_frames
        return self._skip(in_turn([self._gate.flush(), samples]))

    def finish(self) -> list[Event]:
        """Return the last events; every sounding note ends. The stream is over."""
        to_skip, to_process = self._gate.push(self._input.flush())
        to_skip = in_turn([to_skip, self._gate.flush()])
        events = [*self._skip(to_skip), *self._process(to_process)]
        return [*events, *self._player.finish(self._pipeline.flush(), self._now)]

    def cut(self) -> list[Event]:
        """Return the note-offs of all notes; pending frames are dropped. The stream is over."""
        return list(self._player.end())

    @property
    def _now(self) -> float:
        """Seconds of the stream up to which its player was told the time."""
        piece = self._player.piece_samples or 1
        return self._n_samples // piece * piece / self._sample_rate

    def _process(self, samples: Array) -> list[Event]:
        events: list[Event] = []
        for piece in self._pieces(samples):
            heard = self._pipeline.push(piece)
            events += self._player.push(middle_of(piece), heard, self._now)
        return events

    def _skip(self, samples: Array) -> list[Event]:
        events: list[Event] = []
        for piece in self._pieces(samples):
            events += self._player.skip(self._pipeline.skip(piece), self._now)
        return events

    def _pieces(self, samples: Array) -> Iterator[Array]:
        """Yield the samples, cut where the player has to be told the time."""
        size = self._player.piece_samples or len(samples)
        while len(samples):
            n = size - self._n_samples % size if self._player.piece_samples else size
            piece, samples = samples[:n], samples[n:]
            self._n_samples += len(piece)
            yield piece


def _open_player(
    pipeline: Pipeline,
    settings: EngineSettings,
    parts: Accompanying | None,
    reserve: Callable[[EngineSettings], float],
) -> Player:
    if parts is None:
        return CoverPlayer(pipeline, settings, reserve)
    if settings.is_accompanying:
        return AccompanimentPlayer(pipeline, settings, parts)
    return BeatCoverPlayer(pipeline, settings, parts)
