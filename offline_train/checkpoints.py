"""Checkpoints of every recipe: written whole or not at all, read only by the recipe they are of."""

import json
import subprocess
from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from engine.errors import DataError, ModelError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all; ``state["recipe"]`` says whose it is.

    Raises
    ------
    DataError
        If it cannot be written, a full disk for example.
    """
    partial = path.with_suffix(".partial")
    try:
        torch.save(state, partial)
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # torch's own on a full disk
        partial.unlink(missing_ok=True)
        raise DataError(
            f"{path}: could not write the checkpoint ({error}); the one before is whole: make"
            " room and run the same command again"
        ) from error


def write_weights(checkpoint: dict[str, Any], out: Path, left_out: Collection[str]) -> Path:
    """Write a checkpoint to ship; return ``out``.

    Without what training alone needs, ``left_out``, and with folders by their names alone.
    """
    kept = {name: value for name, value in checkpoint.items() if name not in left_out}
    write_checkpoint(out, {**kept, "train": _by_name(kept["train"])})
    return out


def _by_name(settings: Any) -> Any:
    if isinstance(settings, dict):
        return {_by_name(key): _by_name(value) for key, value in settings.items()}
    return Path(settings).name if isinstance(settings, str) else settings


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


def check_same_run(path: Path, before: dict[str, Any], fixed: dict[str, Any]) -> None:
    """Raise ModelError naming the settings of a checkpoint that differ from the ``fixed`` ones."""
    old, new = dict(_leaves(before)), dict(_leaves(fixed))
    changed = [f"{n} {old.get(n)} instead of {new[n]}" for n in sorted(new) if old.get(n) != new[n]]
    if changed:
        raise ModelError(
            f"{path}: holds a run with other settings, {', '.join(changed)}; name another folder,"
            " or go on with the same settings"
        )


def _leaves(settings: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def plain(settings: "DataclassInstance") -> dict[str, Any]:
    """Return settings as JSON has them."""
    found: dict[str, Any] = json.loads(json.dumps(asdict(settings), default=str))
    return found


def commit() -> str:
    """Return the commit that a checkpoint was made with."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
