"""From checkpoints of the accompanist to the three ONNX graphs that play live, proven equal.

The planner may come from one checkpoint, the player and the writer from another. ``plan.onnx`` and
``play.onnx`` carry their memory of keys and values as state, ``note.onnx`` writes one note.
``engine.accompany.model`` runs them.
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
    N_STYLES,
    SUMMARY_DIM,
    Accompanist,
    config_from,
)
from models.accompanist_steps import PlanStep, PlayStep
from models.spec import N_PITCHES
from offline_train.exporting.onnx_files import check_equal, removed_on_mismatch, write_onnx
from offline_train.recipes.accompanist import RECIPE
from offline_train.training.checkpoints import read_checkpoint

POSITIONS_COMPARED = (0, 3, 5000)


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

    observed = numbers(1, 2 * N_PITCHES + SUMMARY_DIM)
    where = {"place": torch.tensor([3]), "lag": torch.tensor([2]), "tempo": torch.tensor([0.1])}
    plan = {"heard": observed, "expected": numbers(1, EXPECTED_DIM), **where}
    play = {
        "own": numbers(1, 2 * N_PITCHES),
        "plan": numbers(1, CHORD_DIM + 1),
        "heard": observed,
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
    _write_remembering(PlanStep(network), plan, ("chord", "bass"), spec, folder / "plan.onnx")
    _write_remembering(PlayStep(network), play, ("hidden",), spec, folder / "play.onnx")
    path = folder / "note.onnx"
    write_onnx(network.writer, note, ("next_pitch", "rest"), spec, path)
    with removed_on_mismatch(path), torch.no_grad():
        expected = [value.numpy() for value in network.writer(*note.values())]
        found = Graph(path).run(_arrays(note), ["next_pitch", "rest"])
        check_equal(path, expected, found)
    return folder


def join_networks(plan: Path, play: Path) -> tuple[Accompanist, dict[str, Any]]:
    """Return the planner of one checkpoint with player and writer of another, and how they came.

    Raises
    ------
    ModelError
        If one is no checkpoint of this recipe.
    """
    own = {"plan": read_checkpoint(plan, RECIPE), "play": read_checkpoint(play, RECIPE)}
    sizes = {**own["play"]["network"], "planner": own["plan"]["network"]["planner"]}
    network = Accompanist(config_from(sizes))
    weights = {
        name: own["plan" if name.startswith("planner.") else "play"]["model"][name]
        for name in network.state_dict()
    }
    network.load_state_dict(weights)
    keys = ("learns", "steps", "seed", "own_past")
    trained = {
        part: {
            "step": checkpoint["step"],
            "commit": checkpoint["commit"],
            **{key: checkpoint["train"].get(key) for key in keys},
        }
        for part, checkpoint in own.items()
    }
    return network.eval(), {"recipe": RECIPE, **trained}


def _write_remembering(
    module: PlanStep | PlayStep,
    inputs: dict[str, Tensor],
    outputs: tuple[str, ...],
    spec: str,
    path: Path,
) -> None:
    """Write a step with its memory, and compare it after some steps that were."""
    rng = torch.Generator().manual_seed(1)
    memory = module.stack.init_memory(1)
    state = {
        f"{name}_{k}": torch.randn(kept.shape, generator=rng)
        for name, layers in (("keys", memory.keys), ("values", memory.values))
        for k, kept in enumerate(layers)
    }
    position = torch.zeros(1, dtype=torch.int64)
    feed = {**inputs, "position": position, **state}
    names = (*outputs, "key", "value")
    write_onnx(module, feed, names, spec, path)
    graph = Graph(path)
    with removed_on_mismatch(path), torch.no_grad():
        for n_steps in POSITIONS_COMPARED:
            position[0] = n_steps
            expected = [value.numpy() for value in module(*feed.values())]
            check_equal(path, expected, graph.run(_arrays(feed), names))


def _arrays(inputs: dict[str, Tensor]) -> dict[str, NDArray[Any]]:
    return {name: np.asarray(value.numpy()) for name, value in inputs.items()}
