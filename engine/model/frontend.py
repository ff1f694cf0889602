"""Samples to feature frames, in blocks of any length with the same result.

Shapes: n samples, k frames, F bins. Belongs to the worker thread.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from engine.core.errors import ModelError
from engine.model.graph import Graph
from engine.signal.varispeed import Varispeed
from engine.system.paths import is_file
from models import shipped
from models.spec import FeatureSpec

Array = NDArray[np.float32]
Frames = NDArray[np.int64]

SUFFIX = ".frontend.onnx"
MAX_FRAMES = 64  # computed at once: bounds the memory that a whole file takes


class FrontEnd:
    """The streamed front end: frame k is centred on sample ``k * hop_length``.

    The stream begins with ``win_length // 2`` zeros; a frame comes out as soon as the last sample
    of its window is in.

    Parameters
    ----------
    spec : FeatureSpec
        What a frame is.
    transform : callable
        (m,) float32 samples -> ((m - win_length) // hop_length + 1, n_bins) float32.
    """

    def __init__(self, spec: FeatureSpec, transform: Callable[[Array], Array]) -> None:
        self.spec = spec
        self._transform = transform
        size = spec.win_length + MAX_FRAMES * spec.hop_length
        self._buffer: Array = np.zeros(size, np.float32)
        self._retuner: Retuner | None = None
        self.reset()

    @property
    def cents(self) -> float:
        """How far above A = 440 Hz the song is tuned; later frames are resampled to 440 Hz.

        0 unless set; may be set between any two pushes, and outlives ``reset``.
        """
        return self._retuner.cents if self._retuner else 0.0

    @cents.setter
    def cents(self, cents: float) -> None:
        if cents != self.cents:
            self._retuner = Retuner(self.spec.win_length, cents) if cents else None

    def another(self) -> "FrontEnd":
        """Return a front end that computes the same, of a stream of its own."""
        return FrontEnd(self.spec, self._transform)

    @property
    def next_frame(self) -> int:
        """Index of the next frame."""
        return self._next_frame

    @property
    def n_samples(self) -> int:
        """Samples of the stream so far."""
        spec = self.spec
        return self._next_frame * spec.hop_length + self._n_held - spec.win_length // 2

    def reset(self) -> None:
        """Begin a new stream at frame 0."""
        self._n_held = self.spec.win_length // 2
        self._buffer[: self._n_held] = 0.0
        self._next_frame = 0

    def push(self, samples: Array) -> tuple[Frames, Array]:
        """Return the frames that the samples (n,) complete: indices (k,) and features (k, F)."""
        first = self._next_frame
        parts = [np.zeros((0, self.spec.n_bins), np.float32)]
        for window in self._windows(samples):
            if self._retuner is None:
                parts.append(self._transform(window))
            else:
                frames = sliding_window_view(window, self.spec.win_length)[:: self.spec.hop_length]
                parts += [self._transform(self._retuner(frame)) for frame in frames]
        return np.arange(first, self._next_frame, dtype=np.int64), np.concatenate(parts)

    def skip(self, samples: Array) -> int:
        """Skip samples (n,); return how many frames they complete. Later ones are exact."""
        first = self._next_frame
        for _ in self._windows(samples):
            pass
        return self._next_frame - first

    def flush(self) -> tuple[Frames, Array]:
        """Return the last frames, as if ``win_length // 2`` zeros followed; then ``reset``."""
        return self.push(np.zeros(self.spec.win_length // 2, np.float32))

    def _windows(self, samples: Array) -> Iterator[Array]:
        """Yield the held samples of each run of whole frames, then drop them."""
        win, hop = self.spec.win_length, self.spec.hop_length
        start = 0
        while start < len(samples):
            n = min(len(samples) - start, len(self._buffer) - self._n_held)
            self._buffer[self._n_held : self._n_held + n] = samples[start : start + n]
            self._n_held += n
            start += n
            n_frames = max(0, (self._n_held - win) // hop + 1)
            if n_frames:
                yield self._buffer[: win + (n_frames - 1) * hop]
                self._n_held -= n_frames * hop
                used = n_frames * hop
                self._buffer[: self._n_held] = self._buffer[used : used + self._n_held].copy()
                self._next_frame += n_frames


class Retuner:
    """Resamples a frame around its centre, so that it is in tune.

    The frame's centre stays. The few samples that a faster frame lacks at its ends, where the
    window is near 0, are zeros. Works for every front end.

    Parameters
    ----------
    win_length : int
        Samples of a frame.
    cents : float
        How far the song is tuned above A = 440 Hz.
    """

    def __init__(self, win_length: int, cents: float) -> None:
        self.cents = cents
        step = 2 ** (-cents / 1200)  # samples of the song for each of the frame
        self._varispeed = Varispeed(step)
        half = win_length // 2
        positions = half + step * (np.arange(win_length, dtype=np.float64) - half)
        start, stop = self._varispeed.span(positions[0], positions[-1])
        self._before, after = max(0, -start), max(0, stop - win_length)
        self._padded: Array = np.zeros((self._before + win_length + after, 1), np.float32)
        self._positions = np.asarray(positions + self._before, np.float64)

    def __call__(self, frame: Array) -> Array:
        """Return ``frame`` (win_length,) in tune."""
        self._padded[self._before : self._before + len(frame), 0] = frame
        return self._varispeed.read(self._padded, self._positions)[:, 0]


def load_frontend(
    spec: FeatureSpec, folder: Path | None = None, provider: str = "cpu", threads: int = 1
) -> FrontEnd:
    """Return the front end that ``spec`` names, from its exported graph.

    Parameters
    ----------
    spec : FeatureSpec
        Of the model that will take the features.
    folder : Path, optional
        Where to look first (beside the model); then among the shipped models.
    provider, threads
        As for ``engine.model.graph.Graph``.

    Raises
    ------
    ModelError
        If there is no such file, or it computes other features than ``spec`` says.
    """
    folders = [*([folder] if folder else []), shipped.path()]
    paths = [f / (spec.name + SUFFIX) for f in folders]
    path = next((p for p in paths if is_file(p)), None)
    if path is None:
        raise ModelError(
            f"front end {spec.name + SUFFIX} not found in {' or '.join(str(f) for f in folders)}:"
            " copy it beside the model"
        )
    graph = Graph(path, provider, threads)
    graph.check(["samples"], ["features"])
    try:
        found = FeatureSpec.from_metadata(graph.metadata())
    except (TypeError, ValueError) as error:
        raise ModelError(f"{path} is not a front end: {error}") from error
    if found != spec:
        raise ModelError(
            f"front end {path} does not match the model: the model was trained on {spec},"
            f" the file computes {found}; copy the right one beside the model"
        )

    def transform(samples: Array) -> Array:
        features: Array = graph.run({"samples": samples[None]}, ["features"])[0][0]
        return features

    transform(np.zeros(spec.win_length, np.float32))  # warm
    return FrontEnd(spec, transform)
