"""Torch modules as ONNX files with metadata, and the proof that file and torch agree.

Not here: what the modules are (``export``, ``arranging.export``).
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.core.errors import ModelError
from models.spec import METADATA_KEY

OPSET = 17
MODEL_TOLERANCE = 1e-4


def write_onnx(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    metadata: str,
    path: Path,
    free: Mapping[str, Mapping[int, str]] | None = None,
) -> None:
    """Write a module as an ONNX file whose metadata holds one text and nothing else.

    By tracing: torch.export (the exporter's ``dynamo=True``) fixes the number of frames behind a
    GRU to that of the example without a word (seen with torch 2.13). What tracing would fix, a
    comparison at several lengths finds.

    Parameters
    ----------
    free
        Tensor name -> {axis: name} of the sizes that may differ from the example's.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(), torch.no_grad(), _plain_attention():
        warnings.simplefilter("ignore")  # that tracing is old, and that it traces
        torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            path,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=free,
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(path)
    model.metadata_props.add(key=METADATA_KEY, value=metadata)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Turn off attention's fused operator, which has no ONNX form."""
    is_fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(is_fast)


@contextmanager
def removed_on_mismatch(*paths: Path) -> Iterator[None]:
    """Remove the files if what is done with them raises ModelError."""
    try:
        yield
    except ModelError:
        for path in paths:
            path.unlink(missing_ok=True)
        raise


def check_equal(
    path: Path,
    expected: Sequence[NDArray[Any]],
    found: Sequence[NDArray[Any]],
    tolerance: float = MODEL_TOLERANCE,
) -> None:
    """Raise ModelError if what the file gave is not what torch gave."""
    for ours, theirs in zip(expected, found, strict=True):
        if ours.shape != theirs.shape:
            raise ModelError(f"{path}: torch gives {ours.shape}, the file {theirs.shape}")
        worst = float(np.abs(ours - theirs).max())
        if not worst <= tolerance:
            raise ModelError(
                f"{path}: the exported graph differs from torch by {worst:.1e}, more than"
                f" {tolerance:.0e}; the file was removed"
            )
