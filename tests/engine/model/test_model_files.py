"""Opening models and graphs: names, providers, and every broken file's message."""

import logging
import shutil
from pathlib import Path
from typing import Any

import onnxruntime as ort
import pytest

from engine.core.errors import ModelError
from engine.model import model_files
from engine.model.graph import Graph, available_providers, choose_provider
from engine.model.model_files import list_models, load_model
from engine.model.stateful_model import StatefulModel
from engine.model.window_model import WindowModel
from models import shipped
from tests.messages import refused
from tests.tiny import TINY_STATEFUL, TINY_WINDOW, with_metadata


@pytest.fixture
def shipped_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(shipped, "path", lambda: tmp_path)
    return tmp_path


def test_both_kinds_load_by_path(tiny_stateful_path: Path, tiny_window_path: Path) -> None:
    stateful = load_model(tiny_stateful_path)
    assert isinstance(stateful, StatefulModel)
    assert stateful.spec.trained["tolerance"] == 1e-4
    assert stateful.spec.lookahead_frames == TINY_STATEFUL.lookahead_frames
    assert stateful.graph.path == tiny_stateful_path
    window = load_model(str(tiny_window_path))
    assert isinstance(window, WindowModel)
    assert window.spec.window_frames == TINY_WINDOW.window_frames


def test_a_shipped_model_loads_by_name(tiny_stateful_path: Path, shipped_folder: Path) -> None:
    shutil.copy(tiny_stateful_path, shipped_folder / "live.onnx")
    for part in ("live.local.onnx", "tiny.frontend.onnx", "a.onnx", "live.sample.npz"):
        (shipped_folder / part).touch()
    assert list_models() == ("a", "live")
    assert load_model("live").spec.name == "tiny"


def test_an_unknown_name_is_answered_with_the_nearest(shipped_folder: Path) -> None:
    for name in ("live", "concert"):
        (shipped_folder / f"{name}.onnx").touch()
    with refused(ModelError, "'lvie'", "did you mean", "'live'", "concert, live"):
        load_model("lvie")


def test_an_unknown_name_with_nothing_shipped(shipped_folder: Path) -> None:
    with refused(ModelError, "'zzz'", "none", "path"):
        load_model("zzz")


@pytest.mark.parametrize("name", ["absent.onnx", "folder/absent"])
def test_a_path_without_a_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match="no model file at"):
        load_model(tmp_path / name)
    with pytest.raises(ModelError, match="no model file at"):
        Graph(tmp_path / name)


@pytest.mark.parametrize("n_kept", [0, 100, 0.5, -1])
def test_a_truncated_file(tiny_stateful_path: Path, tmp_path: Path, n_kept: float) -> None:
    data = tiny_stateful_path.read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(data[: int(n_kept * len(data)) if n_kept == 0.5 else int(n_kept)])
    # Cut between two fields, what is left may still be ONNX, but without its metadata.
    with pytest.raises(ModelError, match=r"cut\.onnx (cannot be opened|is an ONNX file, but not)"):
        load_model(path)


def test_a_file_that_is_not_onnx(tmp_path: Path) -> None:
    path = tmp_path / "song.onnx"
    path.write_text("RIFF, or rather not")
    with refused(ModelError, "song.onnx", "ONNX", "truncated"):
        load_model(path)


def test_onnx_without_our_metadata(tiny_stateful_path: Path, tmp_path: Path) -> None:
    path = with_metadata(tiny_stateful_path, tmp_path / "m.onnx", None)
    with refused(ModelError, "m.onnx", "not one of livecover's", "offline_train"):
        load_model(path)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "must be a JSON object"),
        ('{"name": "x"}', "missing keys"),
        (TINY_STATEFUL.to_metadata().replace("stateful", "stately"), "kind must be"),
        (TINY_STATEFUL.to_metadata().replace('"n_bins"', '"bins"'), "unknown keys"),
    ],
)
def test_metadata_of_another_kind(
    tiny_stateful_path: Path, tmp_path: Path, value: str, message: str
) -> None:
    path = with_metadata(tiny_stateful_path, tmp_path / "m.onnx", value)
    with pytest.raises(ModelError, match=rf"m.onnx is not a cover model \(.*{message}"):
        load_model(path)


def test_a_front_end_is_no_model(tiny_folder: Path) -> None:
    with pytest.raises(ModelError, match="is not a cover model"):
        load_model(tiny_folder / "tiny.frontend.onnx")


def test_a_window_model_needs_its_local_stage(tiny_window_path: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(tiny_window_path, tmp_path))
    with refused(ModelError, "needs tiny-window.local.onnx"):
        load_model(path)
    local = tiny_window_path.with_name("tiny-window.local.onnx")
    other = TINY_WINDOW.to_metadata().replace('"version": "1"', '"version": "2"')
    with_metadata(local, tmp_path / local.name, other)
    with refused(ModelError, "another model", "export"):
        load_model(path)


def test_metadata_of_one_kind_on_a_graph_of_the_other(
    tiny_stateful_path: Path, tiny_window_path: Path, tmp_path: Path
) -> None:
    path = with_metadata(tiny_window_path, tmp_path / "m.onnx", TINY_STATEFUL.to_metadata())
    with refused(ModelError, "metadata", "['features', 'style']", "export"):
        load_model(path)


def test_a_state_of_free_size_is_refused(tiny_stateful_path: Path) -> None:
    graph = Graph(tiny_stateful_path)
    graph.inputs["state_gru"][1] = "anything"
    with refused(ModelError, "state_gru", "fixed shape", "export"):
        StatefulModel(TINY_STATEFUL, graph)


def test_the_cpu_is_always_there_and_comes_last() -> None:
    assert available_providers()[-1] == "cpu"
    assert choose_provider("cpu") == "cpu"


def present(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: list(names))


def test_auto_takes_an_accelerator_that_is_present(monkeypatch: pytest.MonkeyPatch) -> None:
    present(monkeypatch, "CPUExecutionProvider", "DmlExecutionProvider")
    assert available_providers() == ("directml", "cpu")
    assert choose_provider("auto") == "directml"
    present(monkeypatch, "AzureExecutionProvider", "CPUExecutionProvider")
    assert choose_provider("auto") == "cpu"


@pytest.mark.parametrize("name", ["cuda", "coreml", "directml"])
def test_a_provider_that_is_absent(
    monkeypatch: pytest.MonkeyPatch, tiny_stateful_path: Path, name: str
) -> None:
    present(monkeypatch, "CPUExecutionProvider")
    with refused(ModelError, f"'{name}'", "only cpu", "install"):
        load_model(tiny_stateful_path, provider=name)


def test_a_provider_that_is_unknown(tiny_stateful_path: Path) -> None:
    with refused(ModelError, "auto, cuda, directml, coreml, cpu", "'tpu'"):
        load_model(tiny_stateful_path, provider="tpu")


def test_a_provider_that_is_built_in_but_does_not_start(
    monkeypatch: pytest.MonkeyPatch, tiny_stateful_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    present(monkeypatch, "CUDAExecutionProvider", "CPUExecutionProvider")
    real = ort.InferenceSession
    # Where its libraries are missing, ONNX Runtime falls back to the CPU by itself.
    monkeypatch.setattr(
        ort,
        "InferenceSession",
        lambda path, options, providers: real(path, options, providers=["CPUExecutionProvider"]),
    )
    with refused(ModelError, "'cuda'", "--provider cpu"):
        Graph(tiny_stateful_path, "cuda")
    with caplog.at_level(logging.WARNING):
        assert Graph(tiny_stateful_path, "auto").provider == "cpu"
    assert "the CPU takes over" in caplog.text


def test_threads_sleep_between_runs(
    monkeypatch: pytest.MonkeyPatch, tiny_stateful_path: Path
) -> None:
    seen: list[Any] = []
    real = ort.InferenceSession

    def watch(path: str, options: Any, providers: list[str]) -> Any:
        seen.append(options)
        return real(path, options, providers=providers)

    monkeypatch.setattr(ort, "InferenceSession", watch)
    Graph(tiny_stateful_path, threads=2)
    (options,) = seen
    assert options.intra_op_num_threads == 2
    assert options.inter_op_num_threads == 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_whatever_is_listed_is_a_cover_model() -> None:
    """Other networks that ship lie in folders of their own."""
    names = list_models()
    assert {"live", "transcribe"} <= set(names)
    for name in names:
        assert load_model(name).spec.name


def test_the_shipped_folder_is_the_packages_own() -> None:
    assert shipped.path().is_dir()
    assert model_files.list_models() == tuple(sorted(model_files.list_models()))
