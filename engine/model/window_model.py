"""The stateless kind of cover model: at every step it sees the last ``window_frames`` frames.

Shapes: n frames, W = window_frames, m = local_margin_frames, F bins, E the shape of an embedding.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ModelError
from engine.core.notes import Posteriors
from engine.model.cover_model import StepModel, join_posteriors, silent_features, style_row
from engine.model.graph import Graph
from engine.signal.rings import FeatureRing
from models.spec import ModelSpec

Array = NDArray[np.float32]
Frames = NDArray[np.int64]

MAX_LOCAL_FRAMES = 64  # in one call of the local stage: bounds the memory that a window takes


class WindowModel(StepModel):
    """Two graphs: a local stage for each frame and its neighbours, and one that mixes the window.

    ``local``: ``features`` (1, n + 2 m, F) -> ``embedding`` (1, n, E). ``mix``: ``embedding``
    (1, W, E), ``style`` (1, 24) -> outputs (1, W, 88). Cached, the local stage runs once a frame
    and its result is kept in a ring; plain, it runs on all W + 2 m frames at every step: slower,
    with the same result. Before the stream there is digital silence: frames before the first count
    as log(log_floor).

    A local stage may take ``style`` (1, 24) as well. What is kept then belongs to one style: with
    the first step in another, the window's frames that are not silence are embedded once more.

    A step is always ``step_frames`` frames, whatever comes in at once, so that each frame is read
    at the same places of the window: from W - (lookahead_frames - m) - step_frames on.

    Parameters
    ----------
    spec : ModelSpec
        Of kind ``window``.
    mix, local : Graph
        The opened files.
    cached : bool
        False runs the local stage on the whole window.

    Raises
    ------
    ModelError
        If the graphs are not what the spec says.
    """

    def __init__(self, spec: ModelSpec, mix: Graph, local: Graph, cached: bool = True) -> None:
        super().__init__(spec, mix)
        for graph, name, outputs in ((mix, "embedding", spec.outputs), (local, "features", [])):
            styled = ["style"] if "style" in graph.inputs else []
            graph.check([name, *styled], outputs or ["embedding"])
        margin, step, window = spec.local_margin_frames, spec.step_frames, spec.window_frames
        end = window - (spec.lookahead_frames - margin)
        if not step <= end <= window:
            raise ModelError(
                f"{mix.path}: lookahead_frames must be from {margin} (the local margin) to"
                f" {window + margin - step}, not {spec.lookahead_frames}. Export it again"
            )
        self._local, self._cached = local, cached
        self._rows = slice(end - step, end)
        self._takes_style = "style" in local.inputs
        self._style: Array = np.zeros(spec.style_dim, np.float32)  # of what is kept
        silence = silent_features(spec, 1 + 2 * margin)
        self._features = FeatureRing(window + 2 * margin, spec.features.n_bins, fill=silence[0])
        embedded = self._embed(silence, self._style)
        self._embeddings = FeatureRing(window, embedded.shape[1:], fill=embedded[0])
        self._n_frames = 0  # frames since the stream began
        self._run(silent_features(spec, step), np.zeros(spec.style_dim, np.float32))  # warm
        self.reset()

    def reset(self) -> None:
        """Begin a new stream: the window is silent again."""
        super().reset()
        self._features.clear()
        self._embeddings.clear()
        self._n_frames = 0

    def plain(self) -> "WindowModel":
        """Return a model of the same graphs, in a new stream, without the cache."""
        return WindowModel(self._spec, self._graph, self._local, cached=False)

    def offline_variant(self) -> "WindowModel":
        """Return a model of the same graphs for whole files, where latency does not matter.

        It answers half a window at a time, the middle of it, with a quarter to either side: a
        fraction of the work, and more of the future seen, than with the steps of a live stream.
        """
        spec = dataclasses.replace(
            self._spec,
            step_frames=self._spec.window_frames // 2,
            lookahead_frames=self._spec.local_margin_frames + self._spec.window_frames // 4,
        )
        return WindowModel(spec, self._graph, self._local, self._cached)

    def offline(self, features: Array, style: Array) -> Posteriors:
        """Return posteriors of a whole song (n, F) by the plain sliding window.

        The present stream is not touched.
        """
        model = self.plain()
        first = model.step(np.arange(len(features), dtype=np.int64), features, style)
        return join_posteriors([first, model.flush(style)])

    def _advance(self, rows: Array, style: Array) -> Posteriors:
        step = self._spec.step_frames
        parts = [
            self._queue.to_posteriors(self._run(rows[start : start + step], style))
            for start in range(0, len(rows), step)
        ]
        return parts[0] if len(parts) == 1 else join_posteriors(parts)

    def _run(self, rows: Array, style: Array) -> dict[str, Array]:
        """Return the outputs {name: (step_frames, 88)} after one more step of features."""
        self._features.push(rows)
        window, margin = self._spec.window_frames, self._spec.local_margin_frames
        self._n_frames = min(window, self._n_frames + len(rows))
        if self._cached and self._takes_style and not np.array_equal(style, self._style):
            self._restyle(style)
        else:
            n_new = len(rows) if self._cached else window
            seen = self._features.last(n_new + 2 * margin)
            self._embeddings.push(self._embed(seen, style))
        inputs = {"embedding": self._embeddings.last(window)[None]}
        arrays = self._graph.run(self._styled(self._graph, inputs, style), self._spec.outputs)
        names = zip(self._spec.outputs, arrays, strict=True)
        return {name: array[0, self._rows] for name, array in names}

    def _restyle(self, style: Array) -> None:
        """Embed the stream so far in another style; all before it is one frame of silence."""
        margin = self._spec.local_margin_frames
        silence = silent_features(self._spec, 1 + 2 * margin)
        fill = self._embed(silence, style)[0]
        self._embeddings = FeatureRing(len(self._embeddings), fill.shape, fill=fill)
        seen = self._features.last(self._n_frames + 2 * margin)
        self._embeddings.push(self._embed(seen, style))
        self._style = style.copy()

    def _embed(self, seen: Array, style: Array) -> Array:
        """Return the embedding (n, E) of features (n + 2 m, F), some frames at a time."""
        edge = 2 * self._spec.local_margin_frames
        parts = []
        for start in range(0, len(seen) - edge, MAX_LOCAL_FRAMES):
            inputs = {"features": seen[None, start : start + MAX_LOCAL_FRAMES + edge]}
            styled = self._styled(self._local, inputs, style)
            parts.append(self._local.run(styled, ["embedding"])[0][0])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _styled(self, graph: Graph, inputs: dict[str, Array], style: Array) -> dict[str, Array]:
        """Return the inputs with the style, if the graph takes it."""
        if "style" in graph.inputs:
            inputs["style"] = style_row(self._spec, style)
        return inputs
