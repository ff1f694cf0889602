"""The model files that ship with the program, as ONNX graphs beside this module."""

from pathlib import Path


def path() -> Path:
    """Return the folder that holds the shipped ``NAME.onnx`` and ``NAME.frontend.onnx`` files."""
    return Path(__file__).parent
