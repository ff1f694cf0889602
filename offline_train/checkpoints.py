"""Checkpoints of every recipe: written whole or not at all, read only by the recipe they are of."""

from pathlib import Path
from typing import Any

import torch

from engine.errors import ModelError


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all; ``state["recipe"]`` says whose it is."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def read_checkpoint(path: Path, recipe: str) -> dict[str, Any]:
    """Return a checkpoint of a recipe. Raises ModelError if it is something else."""
    try:
        checkpoint: Any = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises many kinds on a file that is none of its own
        raise ModelError(f"{path}: expected a checkpoint of {recipe} ({error})") from error
    found: dict[str, Any] = checkpoint if isinstance(checkpoint, dict) else {}
    if found.get("recipe") != recipe:
        came = found.get("recipe", "something else")
        raise ModelError(
            f"{path}: expected a checkpoint of {recipe}, came one of {came}; name another file"
        )
    return found
