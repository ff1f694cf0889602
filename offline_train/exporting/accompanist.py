"""From a checkpoint of the accompanist to the three ONNX graphs that play live, proven equal.

``plan.onnx`` and ``play.onnx`` carry their memory of keys and values as state, ``note.onnx`` writes
one note. ``engine.accompany.model`` runs them.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.accompany.model import KIND
from engine.model.graph import Graph
from models.accompanist import (
    CHORD_DIM,
    EXPECTED_DIM,
    HEARD_DIM,
    N_STYLES,
    Accompanist,
)
from models.accompanist_steps import PlanStep, PlayStep
from models.spec import N_PITCHES
from offline_train.exporting.onnx_files import check_equal, removed_on_mismatch, write_onnx

STEPS_COMPARED = 5


def export_accompanist(network: Accompanist, folder: Path, trained: dict[str, Any]) -> Path:
    """Write the graphs into a folder; return it. ``trained`` says how, in the files' metadata.

    Raises
    ------
    ModelError
        If a graph differs from torch.
    """
    spec = json.dumps({"kind": KIND, "trained": trained}, sort_keys=True)
    folder.mkdir(parents=True, exist_ok=True)
    rng = torch.Generator().manual_seed(0)
    c = network.config

    def numbers(*shape: int) -> Tensor:
        return torch.rand(shape, generator=rng)

    heard = numbers(1, 2 * N_PITCHES + HEARD_DIM)
    where = {"place": torch.tensor([3]), "lag": torch.tensor([2]), "tempo": torch.tensor([0.1])}
    plan = {"heard": heard, "expected": numbers(1, EXPECTED_DIM), **where}
    play = {
        "own": numbers(1, 2 * N_PITCHES),
        "plan": numbers(1, CHORD_DIM + 1),
        "heard": heard,
        "style": numbers(1, 2 * N_STYLES),
        "part": torch.tensor([0]),
        **where,
    }
    note = {
        "hidden": numbers(1, c.player.width),
        "plan": numbers(1, CHORD_DIM),
        "struck": numbers(1, N_PITCHES).round(),
        "last": torch.tensor([40]),
        "pitch": torch.tensor([44]),
    }
    _write_stateful(PlanStep(network), plan, ("chord", "bass"), spec, folder / "plan.onnx")
    _write_stateful(PlayStep(network), play, ("hidden",), spec, folder / "play.onnx")
    path = folder / "note.onnx"
    write_onnx(network.writer, note, ("next_pitch", "rest"), spec, path)
    with removed_on_mismatch(path), torch.no_grad():
        expected = [value.numpy() for value in network.writer(*note.values())]
        found = Graph(path).run(_arrays(note), ["next_pitch", "rest"])
        check_equal(path, expected, found)
    return folder


def _write_stateful(
    module: PlanStep | PlayStep,
    inputs: dict[str, Tensor],
    outputs: tuple[str, ...],
    spec: str,
    path: Path,
) -> None:
    """Write a step with its memory, and compare several steps in a row."""
    memory = module.stack.init_memory(1)
    state = {"keys": memory.keys[:, 0], "values": memory.values[:, 0]}
    position = {"position": torch.zeros(1, dtype=torch.int64)}
    names = (*outputs, "next_keys", "next_values")
    write_onnx(module, {**inputs, **position, **state}, names, spec, path)
    graph = Graph(path)
    with removed_on_mismatch(path), torch.no_grad():
        held = {name: graph.zeros(name) for name in state}
        for k in range(STEPS_COMPARED):
            position["position"][0] = k
            *expected, state["keys"], state["values"] = module(
                *inputs.values(), *position.values(), *state.values()
            )
            feed = _arrays({**inputs, **position})
            found, later = graph.run_with_state(feed, held, outputs, ("next_keys", "next_values"))
            held = dict(zip(state, later, strict=True))
            check_equal(path, [value.numpy() for value in expected], found)


def _arrays(inputs: dict[str, Tensor]) -> dict[str, NDArray[Any]]:
    return {name: np.asarray(value.numpy()) for name, value in inputs.items()}
