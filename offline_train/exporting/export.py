"""Networks and front ends to ONNX files that carry their spec, proven equal before they are kept.

Beside each model stands ``NAME.sample.npz``: an input, a style and the outputs torch gave for them.
Shapes: B batch (1 in the files), T frames, F bins.
"""

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.model.frontend import SUFFIX as FRONTEND_SUFFIX
from engine.model.frontend import load_frontend
from engine.model.graph import Graph
from engine.model.model_files import LOCAL_SUFFIX
from models.features import Features
from models.spec import FeatureSpec, ModelSpec
from models.streaming import AHEAD_PREFIX
from offline_train.exporting.onnx_files import (
    MODEL_TOLERANCE,
    check_equal,
    removed_on_mismatch,
    write_onnx,
)

FEATURE_TOLERANCE = 5e-5
SAMPLE_FRAMES = 16  # rounded up to whole steps
SEED = 0

Arrays = dict[str, NDArray[np.float32]]


class StatefulNetwork(Protocol):
    """A network that streams; a torch module."""

    def init_state(self, batch: int) -> dict[str, Tensor]:
        """Return the state before the first frame."""
        ...

    def __call__(self, *inputs: Any) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return logits {name: (B, T, ...)} and the next state.

        Of features (B, T, F), of a style (B, 24) if it takes one, and of the state.
        """
        ...


class WindowNetwork(Protocol):
    """A network that sees a window; a torch module. m is its margin, W its window.

    ``local`` may take the style (B, 24) as a second argument.
    """

    @property
    def local(self) -> Callable[..., Tensor]:
        """Features (B, n + 2 m, F) -> embedding (B, n, ...)."""
        ...

    def mix(self, embedding: Tensor, style: Tensor) -> dict[str, Tensor]:
        """Return logits {name: (B, W, 88)} of an embedding (B, W, ...)."""
        ...


class Stateful(nn.Module):
    """Named outputs after a sigmoid, then the next states; every state starts at zero.

    Takes what the network takes before its state, then each state.
    """

    def __init__(self, network: StatefulNetwork, outputs: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self.outputs = outputs
        self.first = {name: value.detach() for name, value in network.init_state(1).items()}
        self.shifted = {name for name, value in self.first.items() if bool(value.any())}

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs and the next states of the inputs and the states."""
        # A state that does not begin with zeros is carried as its distance from the beginning.
        n_inputs = len(values) - len(self.first)
        states = zip(self.first, values[n_inputs:], strict=True)
        named = {name: self._shift(name, value, 1.0) for name, value in states}
        logits, after = self.network(*values[:n_inputs], named)
        next_states = [self._shift(n, after[n], -1.0) for n in self.first]
        return (*(torch.sigmoid(logits[n]) for n in self.outputs), *next_states)

    def _shift(self, name: str, state: Tensor, sign: float) -> Tensor:
        return state + sign * self.first[name] if name in self.shifted else state


class _Local(nn.Module):
    def __init__(self, network: WindowNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, *style: Tensor) -> Tensor:
        return self.network.local(features, *style)


class _Mix(nn.Module):
    def __init__(self, network: WindowNetwork, outputs: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self.outputs = outputs

    def forward(self, embedding: Tensor, style: Tensor) -> tuple[Tensor, ...]:
        logits = self.network.mix(embedding, style)
        return tuple(torch.sigmoid(logits[name]) for name in self.outputs)


def export_frontend(spec: FeatureSpec, folder: Path) -> Path:
    """Write ``NAME.frontend.onnx`` and return its path.

    Raises
    ------
    ModelError
        If the file and torch in double precision differ by more than 5e-5 (log magnitude) on
        noise of any of several lengths.
    """
    layer = Features(spec).eval()
    path = folder / (spec.name + FRONTEND_SUFFIX)
    samples = torch.zeros(1, spec.win_length + 7 * spec.hop_length)
    free = {"samples": {1: "n_samples"}, "features": {1: "n_frames"}}
    write_onnx(layer, {"samples": samples}, ["features"], spec.to_metadata(), path, free)
    with removed_on_mismatch(path):
        graph = Graph(path)
        exact = layer.double()  # in single precision torch itself is off by more than the file
        generator = torch.Generator().manual_seed(SEED)
        for n_extra in (0, 1, spec.hop_length, 20 * spec.hop_length + 3):
            noise = 0.1 * torch.randn(1, spec.win_length + n_extra, generator=generator)
            with torch.no_grad():
                expected = exact(noise.double()).numpy()
            (found,) = graph.run({"samples": noise.numpy()}, ["features"])
            check_equal(path, [expected], [found], FEATURE_TOLERANCE)
        load_frontend(spec, folder)
    return path


def export_stateful(network: StatefulNetwork, spec: ModelSpec, path: Path) -> Path:
    """Write a stateful network as ``path`` (NAME.onnx) with its sample pair; return the path.

    The file is compared with torch: torch runs the sample in one call, the file in two of different
    length, so that states and the free number of frames are proven as well. Of a network that hears
    later sound torch takes the same two, since a step's outputs depend on what came with it.

    Raises
    ------
    ModelError
        If they differ by more than 1e-4.
    """
    cast(nn.Module, network).cpu().eval()
    wrapper = Stateful(network, spec.outputs).eval()
    sample = _sample(spec, SAMPLE_FRAMES)
    waiting = [name for name in wrapper.first if name.startswith(AHEAD_PREFIX)]
    states = {
        name: torch.zeros(1, 3, *value.shape[2:]) if name in waiting else torch.zeros_like(value)
        for name, value in wrapper.first.items()
    }
    features, style = torch.from_numpy(sample["features"]), torch.from_numpy(sample["style"])
    split = spec.step_frames
    pieces = [slice(0, split), slice(split, None)]
    answered, state = [], network.init_state(1)
    with torch.no_grad():
        for rows in pieces if spec.ahead_frames else [slice(None)]:
            logits, state = network(features[:, rows], style, state)
            answered.append(logits)
    expected = {
        name: torch.sigmoid(torch.cat([part[name] for part in answered], 1)).numpy()
        for name in spec.outputs
    }
    spec = _with_tolerance(spec)
    inputs = {"features": features, "style": style, **{f"state_{n}": s for n, s in states.items()}}
    outputs = [*spec.outputs, *(f"next_{name}" for name in states)]
    free = {name: {1: "n_frames"} for name in ("features", *spec.outputs)}
    free |= {f"{kind}_{name}": {1: "n_ahead"} for name in waiting for kind in ("state", "next")}
    write_onnx(wrapper, inputs, outputs, spec.to_metadata(), path, free)
    with removed_on_mismatch(path):
        graph = Graph(path)
        state = {f"state_{n}": graph.zeros(f"state_{n}", {"n_ahead": 0}) for n in states}
        parts = []
        for rows in pieces:
            found, values = graph.run_with_state(
                {"features": sample["features"][:, rows], "style": sample["style"]},
                state,
                spec.outputs,
                [f"next_{n}" for n in states],
            )
            state = dict(zip(state, values, strict=True))
            parts.append(found)
        together = [np.concatenate(pair, axis=1) for pair in zip(*parts, strict=True)]
        _keep(path, sample, expected, dict(zip(spec.outputs, together, strict=True)))
    return path


def export_window(network: WindowNetwork, spec: ModelSpec, path: Path) -> Path:
    """Write a window network as ``path`` (NAME.onnx) and NAME.local.onnx with a sample pair.

    Raises
    ------
    ModelError
        If the files and torch differ by more than 1e-4.
    """
    cast(nn.Module, network).cpu().eval()
    margin = spec.local_margin_frames
    sample = _sample(spec, spec.window_frames + 2 * margin)
    features, style = torch.from_numpy(sample["features"]), torch.from_numpy(sample["style"])
    with torch.no_grad():
        inputs = {"features": features}
        if "style" in inspect.signature(network.local).parameters:
            inputs["style"] = style
        embedding = network.local(*inputs.values())
        logits = network.mix(embedding, style)
    expected = {name: torch.sigmoid(logits[name]).numpy() for name in spec.outputs}
    spec = _with_tolerance(spec)
    local_path = path.with_name(path.stem + LOCAL_SUFFIX)
    free = {"features": {1: "n_seen"}, "embedding": {1: "n_frames"}}
    write_onnx(_Local(network), inputs, ["embedding"], spec.to_metadata(), local_path, free)
    mix = _Mix(network, spec.outputs)
    write_onnx(
        mix, {"embedding": embedding, "style": style}, spec.outputs, spec.to_metadata(), path
    )
    with removed_on_mismatch(path, local_path):
        local = Graph(local_path)
        split = spec.window_frames // 3 + 2 * margin  # in two pieces: the number of frames is free
        styled = {"style": sample["style"]} if "style" in local.inputs else {}
        parts = [
            local.run({"features": sample["features"][:, rows], **styled}, ["embedding"])[0]
            for rows in (slice(0, split), slice(split - 2 * margin, None))
        ]
        mixed = Graph(path)
        styled = {"style": sample["style"]} if "style" in mixed.inputs else {}
        embedded = {"embedding": np.concatenate(parts, axis=1)}
        found = mixed.run({**embedded, **styled}, spec.outputs)
        _keep(path, sample, expected, dict(zip(spec.outputs, found, strict=True)))
    return path


def _sample(spec: ModelSpec, n_frames: int) -> Arrays:
    """Return features (1, T, F) around those of music and a style (1, 24), from a fixed seed."""
    generator = np.random.default_rng(SEED)
    n_frames += -n_frames % spec.step_frames if spec.kind == "stateful" else 0
    floor = np.log(spec.features.log_floor)
    features = floor + generator.gamma(2.0, 1.0, (1, n_frames, spec.features.n_bins))
    style = generator.normal(0.0, 1.0, (1, spec.style_dim))
    return {"features": features.astype(np.float32), "style": style.astype(np.float32)}


def _with_tolerance(spec: ModelSpec) -> ModelSpec:
    return dataclasses.replace(spec, trained={**spec.trained, "tolerance": MODEL_TOLERANCE})


def _keep(path: Path, sample: Arrays, expected: Arrays, found: Arrays) -> None:
    """Check the file's outputs, and write the sample pair beside it."""
    check_equal(path, list(expected.values()), [found[name] for name in expected])
    pair: dict[str, Any] = {**sample, **expected}
    np.savez_compressed(path.with_suffix(".sample.npz"), **pair)
