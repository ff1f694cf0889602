"""From a checkpoint of the arranger to the three ONNX graphs that the product runs, proven equal.

The graphs are traced one unit, one step, one note at a time; ``engine.whole_song.arranger`` loops.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.model.graph import Graph
from engine.whole_song.arranger import KIND
from models.arrangement import (
    BEGIN,
    CHORD_DIM,
    N_BEATS,
    N_STEPS,
    SOUND_CHANNELS,
    Arrangement,
    ArrangementConfig,
    Encoding,
    NoteOf,
    StepOf,
)
from models.spec import N_PITCHES
from offline_train.exporting.onnx_files import (
    MODEL_TOLERANCE,
    check_equal,
    removed_on_mismatch,
    write_onnx,
)
from offline_train.studies.arranging.train import load_checkpoint


@dataclass(frozen=True, slots=True)
class _Part:
    """One graph: its module, named example inputs, names of its outputs."""

    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: tuple[str, ...]


def network_of(checkpoint: dict[str, Any]) -> Arrangement:
    """Return the network of a checkpoint, ready to run."""
    network = Arrangement(ArrangementConfig(**checkpoint["network"]))
    network.load_state_dict(checkpoint["model"])
    return network.eval()


def export_arranger(checkpoint_path: Path, folder: Path) -> Path:
    """Write ``encode.onnx``, ``step.onnx`` and ``note.onnx`` into a folder; return the folder.

    Raises
    ------
    ModelError
        If the checkpoint is of another recipe, or a graph differs from torch.
    """
    checkpoint = load_checkpoint(checkpoint_path)
    settings = checkpoint["train"]
    spec = {
        "kind": KIND,
        "hears_melody": settings["hears_melody"],
        "hears_texture": settings["hears_texture"],
        "follows": "follow" in settings["stages"],
        "trained": {
            "recipe": "livecover-train experiment arrangement",
            "steps": checkpoint["step"],
            "stages": settings["stages"],
            "seed": settings["seed"],
            "tolerance": MODEL_TOLERANCE,
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in _parts(network_of(checkpoint)).items():
        _write(part, folder / f"{name}.onnx", json.dumps(spec, sort_keys=True))
    return folder


def _parts(network: Arrangement) -> dict[str, _Part]:
    c, rng = network.config, torch.Generator().manual_seed(0)

    def numbers(*shape: int) -> Tensor:
        return torch.rand(shape, generator=rng)

    encode = {
        "chords": numbers(1, N_BEATS, CHORD_DIM).round(),
        "sound": numbers(1, N_STEPS, N_PITCHES, SOUND_CHANNELS),
        "previous": numbers(1, N_STEPS, N_PITCHES, 2).round(),
        "has_previous": torch.ones(1, 1),
    }
    step = {
        "z": numbers(1, c.z),
        "group": numbers(1, c.note),
        "has_group": torch.ones(1, 1),
        "state": numbers(1, 1, c.time_hidden),
    }
    note = {
        "pitch": torch.tensor([float(BEGIN)]),
        "length": torch.tensor([float(N_STEPS)]),
        "state": numbers(1, 1, c.note_hidden),
    }
    return {
        "encode": _Part(Encoding(network), encode, ("z", "state", "rhythm", "intensity")),
        "step": _Part(StepOf(network.decoder), step, ("next_state", "inner")),
        "note": _Part(
            NoteOf(network.decoder), note, ("pitches", "lengths", "embedding", "next_state")
        ),
    }


def _write(part: _Part, path: Path, metadata: str) -> None:
    write_onnx(part.module, part.inputs, part.outputs, metadata, path)
    with removed_on_mismatch(path), torch.no_grad():
        expected = [value.numpy() for value in part.module(*part.inputs.values())]
        inputs = {name: value.numpy() for name, value in part.inputs.items()}
        check_equal(path, expected, Graph(path).run(inputs, part.outputs))
