"""New presets for an exported model; what is no model is refused."""

from pathlib import Path

import pytest

from engine.errors import ModelError
from engine.model_files import load_model
from offline_train.release import restyle
from tests.offline_train.shard_fixtures import song, write_folder


def test_a_model_is_given_the_presets_of_covers(tiny_stateful_path: Path, tmp_path: Path) -> None:
    for part in tiny_stateful_path.parent.iterdir():
        (tmp_path / part.name).write_bytes(part.read_bytes())
    model = tmp_path / tiny_stateful_path.name
    before = load_model(model).spec
    covers = write_folder(tmp_path / "covers", [song("a", 6.0), song("b", 8.0)])
    after = load_model(restyle(model, covers)).spec
    assert set(after.styles) == {"calm", "balanced", "intense"}
    assert after.decoding.notes_per_second > before.decoding.notes_per_second == 0
    assert after.features == before.features


@pytest.mark.parametrize("content", [None, b"", b"no model"])
def test_what_is_no_model_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "some.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=r"some\.onnx: expected a model made by livecover-train"):
        restyle(path, tmp_path)
