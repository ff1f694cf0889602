from pathlib import Path

import numpy as np
import pytest

from engine.beat.activations import load_beat_model
from engine.beat.tracker import BeatTracker
from engine.core.errors import ModelError
from models.beat import BeatConfig, BeatNetwork
from models.features import LOG_STFT_16K
from offline_train.exporting.export_beat import export_beat
from offline_train.training.checkpoints import write_checkpoint


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("beat")
    config = BeatConfig(width=8, hidden=6)
    state = {
        "recipe": "beat",
        "network": config.to_dict(),
        "train": {"seed": 1, "shares": {"a": 1.0}},
        "commit": "unknown",
        "step": 3,
        "model": BeatNetwork(config).state_dict(),
    }
    write_checkpoint(folder / "last.pt", state)
    return export_beat(folder / "last.pt", folder)


def features(n: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.normal(-1.5, 2.0, (n, LOG_STFT_16K.n_bins)).astype(np.float32)


@pytest.mark.parametrize("size", [1, 3, 64, 1000])
def test_the_file_gives_the_same_for_blocks_of_any_length(exported: Path, size: int) -> None:
    model, rows = load_beat_model(exported), features(400)
    whole = model.step(rows)
    model.reset()
    parts = [model.step(rows[k : k + size]) for k in range(0, len(rows), size)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)
    assert len(whole) == len(rows) - model.spec.lookahead_frames


def test_the_tracker_tells_the_same_for_blocks_of_any_length(exported: Path) -> None:
    rows, found = features(300), []
    for size in (1, 7, 300):
        tracker = BeatTracker(load_beat_model(exported))
        for k in range(0, len(rows), size):
            tracker.push(rows[k : k + size])
        found.append((tracker.filter.estimate().period, tracker.clock.position(6.0)))
    assert found[1] == pytest.approx(found[0])
    assert found[2] == pytest.approx(found[0])


def test_another_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        load_beat_model(tmp_path / "none.onnx")


def test_a_cover_model_is_refused() -> None:
    from models import shipped

    with pytest.raises(ModelError, match="is not a beat network"):
        load_beat_model(shipped.path() / "live.onnx")
