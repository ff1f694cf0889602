"""Checkpoints of every recipe: written whole or not at all, read only by the recipe they are of.

A run that resumes from one ends as one that was not interrupted, where its processor adds in the
same order: so each holds the state of the random generators too.
"""

import logging
import os
import random
import subprocess
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.core.errors import DataError, ModelError
from offline_train.training.renamed import renamed_checkpoint

log = logging.getLogger(__name__)

Generator = np.random.Generator | torch.Generator
COMMIT_VARIABLE = "LIVECOVER_COMMIT"
"""Tells the commit where there is no git."""
TRAINING_ONLY = ("optimizer", "random_state", "chance", "smoothed", "validated_s", "best_score")
"""What of a checkpoint only its own run needs."""


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
    """Return a checkpoint of a recipe. Raises ModelError if it is something else.

    The old path of weights that now lie in ``weights/`` beside it is still read, with a warning.
    """
    moved = path.parent / "weights" / path.name
    if not path.exists() and moved.exists():
        log.warning("%s is now %s: reading that; give the new path", path, moved)
        path = moved
    try:
        checkpoint: Any = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises many kinds on a file that is none of its own
        reason = str(error).partition("\n")[0].partition(". ")[0]  # torch explains at length
        raise ModelError(
            f"{path}: expected a checkpoint of {recipe} ({reason}); name another file"
        ) from error
    found: dict[str, Any] = checkpoint if isinstance(checkpoint, dict) else {}
    if found.get("recipe") != recipe:
        came = found.get("recipe", "something else")
        raise ModelError(
            f"{path}: expected a checkpoint of {recipe}, came one of {came}; name another file"
        )
    return renamed_checkpoint(found, str(path))


def random_state(*generators: Generator) -> dict[str, Any]:
    """Return the state of every random generator, as a checkpoint holds it.

    Of Python, numpy, torch and its CUDA devices, and of a recipe's own ``generators``.
    """
    name, keys, *place = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": [name, keys.tolist(), *place],  # type: ignore[union-attr]
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "generators": [
            g.get_state() if isinstance(g, torch.Generator) else g.bit_generator.state
            for g in generators
        ],
    }


def restore_random_state(path: Path, checkpoint: dict[str, Any], *generators: Generator) -> None:
    """Set every random generator to the state that a checkpoint of ``path`` holds of it.

    A line of the log says if an older version wrote it, with less or something else.
    """
    state = checkpoint.get("random_state", checkpoint.get("chance", {}))
    if "torch" in state:
        torch.set_rng_state(state["torch"])
    if "python" in state:
        random.setstate(state["python"])
        np.random.set_state(tuple(state["numpy"]))
    if len(state.get("cuda", ())) == torch.cuda.device_count() > 0:
        torch.cuda.set_rng_state_all(state["cuda"])
    kept = state.get("generators")
    if kept is None or len(kept) != len(generators):
        warn_of_older(path, "the state of the random generators")
        return
    for generator, own in zip(generators, kept, strict=True):
        if isinstance(generator, torch.Generator):
            generator.set_state(own)
        else:
            generator.bit_generator.state = own


def warn_of_older(path: Path, missing: str) -> None:
    """Say in a line of the log what a checkpoint of an older version lacks to resume exactly."""
    log.warning(
        "%s: an older version wrote it, without %s: the run resumes, but not exactly as one that"
        " was not interrupted",
        path,
        missing,
    )


def check_same_run(path: Path, before: dict[str, Any], fixed: dict[str, Any]) -> None:
    """Raise ModelError naming the settings of a checkpoint that differ from the ``fixed`` ones."""
    changed = differences(before, fixed)
    if changed:
        raise ModelError(
            f"{path}: holds a run with other settings, {', '.join(changed)}; name another folder,"
            " or go on with the same settings"
        )


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return, of the settings that both name, those that differ, each as "batch 2 instead of 4"."""
    old, new = dict(_leaves(before)), dict(_leaves(now))
    return [
        f"{name} {old[name]} instead of {new[name]}"
        for name in sorted(new.keys() & old.keys())
        if old[name] != new[name]
    ]


def _leaves(settings: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def commit() -> str:
    """Return the commit that a checkpoint is made with; of code without git, what is told of it."""
    command = ["git", "rev-parse", "HEAD"]
    told = os.environ.get(COMMIT_VARIABLE, "unknown")
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return told
    return done.stdout.strip() or told
