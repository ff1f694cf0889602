"""Exported files: equal to torch, lean, with spec and sample pair; a bad export is not kept."""

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from engine.core.errors import ModelError
from engine.model.graph import Graph
from engine.model.model_files import read_spec
from models.features import LOG_STFT_16K, Features
from models.spec import METADATA_KEY, FeatureSpec
from offline_train.exporting import export
from offline_train.exporting.export import export_frontend, export_stateful, export_window
from tests.messages import refused
from tests.networks import TinyStateful, TinyWindow, export_tiny_models
from tests.tiny import TINY_FEATURES, TINY_STATEFUL, TINY_WINDOW


@pytest.fixture(scope="module")
def exported_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny models as the exporter makes them now."""
    folder = tmp_path_factory.mktemp("exported")
    export_tiny_models(folder)
    return folder


@pytest.fixture
def tiny_stateful_path(exported_folder: Path) -> Path:
    return exported_folder / "tiny.onnx"


@pytest.fixture
def tiny_window_path(exported_folder: Path) -> Path:
    return exported_folder / "tiny-window.onnx"


def operators(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node]


def test_the_gru_is_one_operator_and_the_file_lean(tiny_stateful_path: Path) -> None:
    assert operators(tiny_stateful_path).count("GRU") == 1
    n_weights = sum(p.numel() for p in TinyStateful().parameters())
    assert tiny_stateful_path.stat().st_size < 4 * n_weights + 30_000
    assert str(Path(__file__).parents[3]).encode() not in tiny_stateful_path.read_bytes()


def test_names_and_free_sizes_are_those_of_the_contract(tiny_stateful_path: Path) -> None:
    graph = Graph(tiny_stateful_path)
    assert graph.inputs["features"] == [1, "n_frames", TINY_FEATURES.n_bins]
    assert list(graph.inputs) == ["features", "style", "state_tail", "state_gru"]
    assert list(graph.outputs) == [*TINY_STATEFUL.outputs, "next_tail", "next_gru"]
    assert graph.inputs["state_gru"] == [1, 88, 4]


def test_the_spec_and_the_tolerance_travel_in_the_file(tiny_stateful_path: Path) -> None:
    spec = read_spec(Graph(tiny_stateful_path))
    assert spec == dataclasses.replace(TINY_STATEFUL, trained={"tolerance": 1e-4})


@pytest.mark.parametrize("kind", ["stateful", "window"])
def test_the_sample_pair_holds_for_the_file(kind: str, request: pytest.FixtureRequest) -> None:
    path: Path = request.getfixturevalue(f"tiny_{kind}_path")
    graph = Graph(path)
    spec = read_spec(graph)
    inputs: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = {}
    with np.load(path.with_suffix(".sample.npz")) as sample:
        inputs["style"] = sample["style"]
        if kind == "stateful":
            inputs["features"] = sample["features"]
            for name in ("state_tail", "state_gru"):
                shape = [size for size in graph.inputs[name] if isinstance(size, int)]
                inputs[name] = np.zeros(shape, np.float32)
        else:
            local = Graph(path.with_name(f"{path.stem}.local.onnx"))
            (inputs["embedding"],) = local.run({"features": sample["features"]}, ["embedding"])
        found = graph.run(inputs, spec.outputs)
        for name, rows in zip(spec.outputs, found, strict=True):
            assert sample[name].dtype == np.float32
            np.testing.assert_allclose(rows, sample[name], atol=spec.trained["tolerance"])
    assert path.with_suffix(".sample.npz").stat().st_size < 60_000


@pytest.mark.parametrize(
    "spec",
    [
        LOG_STFT_16K,
        FeatureSpec("mel", "MelSpectrogram", 16000, 512, 512, 128, 40, 30.0, 8000.0, 1e-2),
    ],
    ids=lambda s: s.name,
)
def test_a_front_end_of_any_length_equals_torch(tmp_path: Path, spec: FeatureSpec) -> None:
    graph = Graph(export_frontend(spec, tmp_path))
    assert FeatureSpec.from_metadata(graph.metadata()) == spec
    layer = Features(spec).double()
    rng = np.random.default_rng(0)
    for n in (spec.win_length, spec.win_length + spec.hop_length - 1, 16000):
        noise = rng.normal(0, 0.1, (1, n)).astype(np.float32)
        (found,) = graph.run({"samples": noise}, ["features"])
        with torch.no_grad():
            expected = layer(torch.from_numpy(noise).double()).numpy()
        assert found.shape == (1, (n - spec.win_length) // spec.hop_length + 1, spec.n_bins)
        np.testing.assert_allclose(found, expected, atol=5e-5)
        # All but the few bins that happen to lie at the floor agree much closer.
        assert np.quantile(np.abs(found - expected), 0.99) < 1e-5


def test_a_log_stft_bin_is_its_pitch(tmp_path: Path) -> None:
    graph = Graph(export_frontend(LOG_STFT_16K, tmp_path))
    time = np.arange(16000) / 16000
    for pitch in (57, 69, 90):
        tone = np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time).astype(np.float32)
        (found,) = graph.run({"samples": tone[None]}, ["features"])
        assert int(found[0].mean(axis=0).argmax()) == 3 * (pitch - 21) + 1


class FixedLength(TinyStateful):
    """Takes only as many frames as the example that was traced."""

    def forward(
        self, features: Tensor, style: Tensor, state: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        if torch.onnx.is_in_onnx_export():
            features = features.reshape(1, int(features.shape[1]), -1)
        return super().forward(features, style, state)


class Noisy(nn.Module):
    """Adds 1 to what the traced graph gives."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = TinyWindow()

    def local(self, features: Tensor) -> Tensor:
        return self.inner.local(features)

    def mix(self, embedding: Tensor, style: Tensor) -> dict[str, Tensor]:
        shift = 1.0 if torch.onnx.is_in_onnx_export() else 0.0
        return {n: x + shift for n, x in self.inner.mix(embedding, style).items()}


class Deaf(TinyStateful):
    """Forgets its state when traced."""

    def forward(
        self, features: Tensor, style: Tensor, state: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        if torch.onnx.is_in_onnx_export():
            state = {**state, "gru": 0.0 * state["gru"]}
        return super().forward(features, style, state)


def test_a_stateful_export_that_differs_is_not_kept(tmp_path: Path) -> None:
    torch.manual_seed(0)
    with refused(ModelError, "torch", "removed"):
        export_stateful(Deaf(), TINY_STATEFUL, tmp_path / "deaf.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_window_export_that_differs_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="differs from torch"):
        export_window(Noisy(), TINY_WINDOW, tmp_path / "noisy.onnx")
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_fixes_the_number_of_frames_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="fixed.onnx fails while it runs"):
        export_stateful(FixedLength(), TINY_STATEFUL, tmp_path / "fixed.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_front_end_that_differs_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "FEATURE_TOLERANCE", 1e-12)
    with pytest.raises(ModelError, match="differs from torch"):
        export_frontend(TINY_FEATURES, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_metadata_holds_nothing_but_the_spec(tiny_window_path: Path) -> None:
    for path in (tiny_window_path, tiny_window_path.with_name("tiny-window.local.onnx")):
        model = onnx.load(path)
        assert [p.key for p in model.metadata_props] == [METADATA_KEY]
