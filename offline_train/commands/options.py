"""What the commands' options share."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from offline_train.corpora.data_folder import find_data_folder

SMALLEST_RATE = 1e-9  # of learning, and hours of it: zero teaches nothing

Add = Callable[..., argparse.ArgumentParser]
"""Adds a command: its name, what it does with its options, and a line of help."""


def at_least(least: int, multiple: int = 1) -> Callable[[str], int]:
    """Return what reads a whole number from ``least`` on, and says so of anything else."""
    kind = "a whole number" if multiple == 1 else f"a multiple of {multiple}"

    def read(text: str) -> int:
        if not text.lstrip("-").isdecimal() or int(text) < least or int(text) % multiple:
            raise argparse.ArgumentTypeError(f"expected {kind} from {least} on, not {text}")
        return int(text)

    return read


def number(least: float = 0.0, most: float = math.inf) -> Callable[[str], float]:
    """Return what reads a number from ``least`` to ``most``, and says so of anything else."""
    kind = f"from {least:g} on" if most == math.inf else f"from {least:g} to {most:g}"

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most or math.isinf(value):
            raise argparse.ArgumentTypeError(f"expected a number {kind}, not {text}")
        return value

    return read


def data_folder(args: argparse.Namespace) -> Path:
    """Return the data folder. Raises DataError saying what belongs there."""
    return find_data_folder(args.data)
