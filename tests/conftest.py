"""Fixtures for every room: tiny models as exported files, and a sound to play to them."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import engine.privacy  # noqa: F401  # before a test imports ONNX Runtime
from tests.networks import (
    TINY_FEATURES,
    TINY_STATEFUL,
    TINY_WINDOW,
    TinyStateful,
    TinyWindow,
)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny front end; do not change what lies in it."""
    from offline_train.export import export_frontend

    folder = tmp_path_factory.mktemp("models")
    export_frontend(TINY_FEATURES, folder)
    return folder


@pytest.fixture(scope="session")
def tiny_stateful_path(tiny_folder: Path) -> Path:
    """The file of a stateful model, ``TINY_STATEFUL``, its front end beside it."""
    import torch

    from offline_train.export import export_stateful

    torch.manual_seed(1)
    return export_stateful(TinyStateful(), TINY_STATEFUL, tiny_folder / "tiny.onnx")


@pytest.fixture(scope="session")
def tiny_window_path(tiny_folder: Path) -> Path:
    """The file of a window model, ``TINY_WINDOW``, its local stage and front end beside it."""
    import torch

    from offline_train.export import export_window

    torch.manual_seed(2)
    return export_window(TinyWindow(), TINY_WINDOW, tiny_folder / "tiny-window.onnx")


@pytest.fixture(scope="session")
def tiny_song() -> NDArray[np.float32]:
    """Three seconds of mono at the tiny models' 4 kHz: noise and tones that start and stop."""
    rng = np.random.default_rng(5)
    time = np.arange(3 * TINY_FEATURES.sample_rate) / TINY_FEATURES.sample_rate
    tones = sum(
        np.sin(2 * np.pi * f * time) * (np.floor(time / d) % 2)
        for f, d in ((110, 0.31), (277, 0.17), (830, 0.11))
    )
    song: NDArray[np.float32] = (0.2 * tones + 0.02 * rng.standard_normal(len(time))).astype(
        np.float32
    )
    return song
