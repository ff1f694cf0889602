"""Samples to posteriors, without threads or clocks: gain, front end and model.

The live worker, whole-file covers, evaluation and benchmarks all run this. Samples are at the
model's rate, mono (n,) or stereo (n, 2) (``engine.signal.stereo``); posteriors rows are (n, 88).
"""

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.core.notes import Posteriors
from engine.model.cover_model import CoverModel, join_posteriors
from engine.model.frontend import Frames, FrontEnd, load_frontend
from engine.model.model_files import load_model
from engine.model.stateful_model import StatefulModel
from engine.model.window_model import WindowModel
from engine.signal.conditioning import PRIME_S
from engine.signal.level import AutomaticGain
from engine.signal.stereo import middle_of, side_of, toward_middle
from engine.signal.tuning import TuningEstimator, cents_of
from models.spec import ModelSpec

Array = NDArray[np.float32]

MELODY = "melody"  # the output of a model that tells the tune apart


class FeatureTap(Protocol):
    """Gets what the model hears, on the thread that runs the pipeline."""

    def begin(self, start: float, first_frame: float) -> None:
        """Begin: the next sample is at ``start`` s, the next frame's centre at ``first_frame``."""

    def push(self, samples: Array, features: Array, cents: float) -> None:
        """Take the next samples (n,), the features (k, F) that they completed, and the tuning.

        Of stereo, the middle's.
        """

    def push_posteriors(self, posteriors: Posteriors) -> None:
        """Take the posteriors that became final with the samples pushed last."""

    def skip(self, samples: Array, n_frames: int) -> None:
        """Take that samples (n,) were passed over, and the frames that they completed."""


class Pipeline:
    """Gain, front end and model as one stream.

    A quiet song is raised to ordinary loudness, one that is not tuned to A = 440 Hz is resampled to
    it; one that needs neither comes to the model unchanged, bit by bit, if it is mono. Of stereo a
    model that tells the tune apart hears the middle, where singers are, louder than what is beside.

    Parameters
    ----------
    frontend : FrontEnd
        Must compute the model's features.
    model : CoverModel
        Any kind.
    style : (24,) float32, optional
        Read at every step; may be replaced at any time by any thread. Zeros if not given.

    Attributes
    ----------
    heard_style : (24,) float32 or None
        The style in which the model runs, where that is not ``style``.
    centre : float
        How much fainter the model hears what is not in the middle of stereo, 0 to 1; may be set
        between two pushes. 0 for a model that does not tell the tune apart.
    """

    def __init__(self, frontend: FrontEnd, model: CoverModel, style: Array | None = None) -> None:
        assert frontend.spec == model.spec.features
        self.frontend = frontend
        self._side = frontend.another()
        self._is_stereo = False
        self.model = model
        self._tap: FeatureTap | None = None
        self.style: Array = np.zeros(model.spec.style_dim, np.float32) if style is None else style
        self.heard_style: Array | None = None
        self._gain = AutomaticGain(model.spec.features.sample_rate)
        self._estimator = TuningEstimator(model.spec.features.sample_rate)
        self._tuning: float | None = None
        self.tuning = None
        self.centre = 0.0
        self._is_pending = False  # the model holds pending frames

    @property
    def spec(self) -> ModelSpec:
        """Of the model."""
        return self.model.spec

    def exchange(self, model: CoverModel, is_whole: bool) -> Posteriors:
        """Let another model of the same graph go on; return the pending frames, if ``is_whole``.

        As before and after a gap of no length (``skip``).
        """
        pending = join_posteriors([])
        if is_whole and self._is_pending:
            pending = self._told(self.model.flush(self._model_style))
        self._is_pending = False
        self.model = model
        return pending

    @property
    def tuning(self) -> float | None:
        """Hertz that A4 has in the song, or None to estimate it. May be set between two pushes."""
        return self._tuning

    @tuning.setter
    def tuning(self, a4_hz: float | None) -> None:
        self._tuning = a4_hz
        self.frontend.cents = self._estimator.cents if a4_hz is None else cents_of(a4_hz)

    @property
    def _model_style(self) -> Array:
        return self.style if self.heard_style is None else self.heard_style

    @property
    def cents(self) -> float:
        """Estimated or given tuning, in cents above A = 440 Hz."""
        return self.frontend.cents

    @property
    def tap(self) -> FeatureTap | None:
        """Gets the features too, from the next ones on; it begins when it is set."""
        return self._tap

    @tap.setter
    def tap(self, tap: FeatureTap | None) -> None:
        self._tap = tap
        if tap is not None:
            features = self.spec.features
            first_frame = self.frontend.next_frame * features.frame_s
            tap.begin(self.frontend.n_samples / features.sample_rate, first_frame)

    def push(self, samples: Array) -> Posteriors:
        """Return what became final with these samples."""
        self._is_pending = True
        raised = self._gain.push(samples)
        if self._tuning is not None:
            return self._process(raised)
        parts = []
        for piece in self._estimator.pieces(raised):
            parts.append(self._process(piece))
            self._estimator.push(middle_of(piece))
            self.frontend.cents = self._estimator.cents
        return parts[0] if len(parts) == 1 else join_posteriors(parts)

    def _process(self, samples: Array) -> Posteriors:
        frames, features = self.hear(samples)
        return self._told(self.model.step(frames, features, self._model_style))

    def hear(self, samples: Array) -> tuple[Frames, Array]:
        """Return the frames (k,) that samples complete, and what the model hears of them, (k, F).

        A part of ``push``, for who measures what it costs.
        """
        middle, side = middle_of(samples), side_of(samples)
        frames, features = self.frontend.push(middle)
        if self._tap is not None:
            self._tap.push(middle, features, self.cents)
        return frames, features if side is None else self._beside(side, features)

    def _beside(self, side: Array, features: Array) -> Array:
        """Return what the model hears of the middle's features, with the side of their samples."""
        self._is_stereo = True
        if not self.centre or MELODY not in self.spec.outputs:
            self._side.skip(side)
            return features
        self._side.cents = self.frontend.cents
        beside = self._side.push(side)[1]
        return toward_middle(features, beside, self.spec.features.log_floor, self.centre)

    def _told(self, posteriors: Posteriors) -> Posteriors:
        if self._tap is not None:
            self._tap.push_posteriors(posteriors)
        return posteriors

    def prime(self, samples: Array) -> None:
        """Estimate level and tuning from a song's first samples, pushed afterwards.

        After ``reset``.
        """
        raised = self._gain.push(samples)
        for piece in self._estimator.pieces(raised):
            self._estimator.push(middle_of(piece))
        self._gain.restart()
        self._estimator.restart()
        self.tuning = self._tuning

    def skip(self, samples: Array) -> Posteriors:
        """Skip samples without computing; return the pending frames.

        Posteriors before the gap are as if silence followed; after it the model begins
        anew, with exact features and true frame indices. The model runs once in a gap, whatever its
        number of calls.
        """
        middle, side = middle_of(samples), side_of(samples)
        n_frames = self.frontend.skip(middle)
        if side is not None:
            self._is_stereo = True
            self._side.skip(side)
        if self._tap is not None:
            self._tap.skip(middle, n_frames)
        if not self._is_pending:
            return join_posteriors([])
        self._is_pending = False
        return self._told(self.model.flush(self._model_style))

    def flush(self) -> Posteriors:
        """Return the pending frames, and begin a new stream at frame 0."""
        shape = (2,) if self._is_stereo else ()
        last = self._process(np.zeros((self.spec.features.win_length // 2, *shape), np.float32))
        posteriors = join_posteriors([last, self._told(self.model.flush(self._model_style))])
        self._reset()
        return posteriors

    def reset(self) -> None:
        """Begin a new stream at frame 0; pending frames are dropped."""
        self._reset()
        self.tap = self._tap

    def _reset(self) -> None:
        self._gain.reset()
        self._estimator.reset()
        self.tuning = self._tuning
        self.frontend.reset()
        self._side.reset()
        self._is_stereo = False
        self.model.reset()
        self._is_pending = False


def load_pipeline(
    name_or_path: str | Path, provider: str = "cpu", threads: int = 1, style: Array | None = None
) -> Pipeline:
    """Return a model with its front end; parameters and ModelError as for ``load_model``."""
    model = load_model(name_or_path, provider, threads)
    # The front end is one convolution: moving it to an accelerator costs more than it saves.
    frontend = load_frontend(model.spec.features, model.graph.path.parent, "cpu", threads)
    return Pipeline(frontend, model, style)


def stream_posteriors(
    samples: Array,
    model: CoverModel,
    frontend: FrontEnd,
    style: Array | None = None,
    block_size: int = 4096,
    tap: FeatureTap | None = None,
) -> Posteriors:
    """Return the posteriors of a waveform, streamed by blocks of ``block_size`` samples."""
    pipeline = Pipeline(frontend, model, style)
    pipeline.reset()
    pipeline.tap = tap
    pipeline.prime(samples[: round(PRIME_S * frontend.spec.sample_rate)])
    parts = [
        pipeline.push(samples[start : start + block_size])
        for start in range(0, len(samples), block_size)
    ]
    return join_posteriors([*parts, pipeline.flush()])


def offline_features(samples: Array, frontend: FrontEnd) -> Array:
    """Return the features (k, F) of a whole waveform (n,)."""
    frontend.reset()
    parts = (frontend.push(samples)[1], frontend.flush()[1])
    frontend.reset()
    return np.concatenate(parts)


def offline_posteriors(
    model: StatefulModel | WindowModel, features: Array, style: Array
) -> Posteriors:
    """Return the posteriors of a whole song's features (k, F) in one pass, to compare streams with.

    Stateful: one call of the graph. Window: the plain sliding window.
    """
    return model.offline(features, style)
