from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import DataError
from models.features import LOG_STFT_16K
from offline_train.data.beats.crops import STEP, BeatCrops, dequantize, quantize, targets, varied
from offline_train.data.shards import Piece, append_manifest, write_shard

N_BINS = LOG_STFT_16K.n_bins
FRAME_S = LOG_STFT_16K.frame_s


def write_beat_shard(folder: Path, is_known: bool = True, n_frames: int = 300) -> None:
    """A shard of one piece whose features are loud on its beats, every 31 frames."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = np.arange(5, n_frames, 31)
    features = np.zeros((2, n_frames, N_BINS), np.uint8)
    features[:, frames] = 120
    downbeats = np.arange(len(frames)) % 4 == 0
    flags = downbeats if is_known else np.full(len(frames), -1.0)
    beats = np.stack([frames * FRAME_S, flags], 1).astype(np.float32)
    piece = Piece("piece-0", {"features": features, "beats": beats}, {"seconds": 9.6})
    append_manifest(folder, write_shard(folder / "shard-00000.tar", [piece]))


def test_features_come_back_within_half_a_step() -> None:
    floor = np.log(LOG_STFT_16K.log_floor)
    features = np.random.default_rng(0).uniform(floor, 5.0, (7, N_BINS)).astype(np.float32)
    back = dequantize(quantize(features, LOG_STFT_16K), LOG_STFT_16K)
    assert np.abs(back - features).max() <= STEP / 2 + 1e-5


def test_a_target_peaks_where_the_beat_is_between_two_frames() -> None:
    labels = targets(np.array([[0.5 * FRAME_S + 0.16, 0.0]], np.float32), 0, 30, FRAME_S)
    assert labels[10, 0] == pytest.approx(labels[11, 0], abs=1e-4)
    assert labels[:, 0].argmax() in (10, 11)
    assert not labels[:, 1].any()


def test_a_crop_has_its_labels_later_by_the_lookahead(tmp_path: Path) -> None:
    write_beat_shard(tmp_path / "a")
    crops = BeatCrops({tmp_path / "a": 1.0}, LOG_STFT_16K, 100, lookahead=2)
    for seed in range(5):
        crop = crops.draw(np.random.default_rng(seed))
        level = crop["features"].numpy().mean(1)
        label = crop["targets"].numpy()[:, 0]
        loud = np.flatnonzero(level > level.min() + 0.1)
        assert set(loud + 2) & set(range(100)) <= set(np.flatnonzero(label > 0.99))
        assert crop["known"].tolist() == [1.0, 1.0]


def test_bars_that_nobody_knows_do_not_count(tmp_path: Path) -> None:
    write_beat_shard(tmp_path / "a", is_known=False)
    crops = BeatCrops({tmp_path / "a": 1.0}, LOG_STFT_16K, 100, lookahead=2)
    assert crops.draw(np.random.default_rng(0))["known"].tolist() == [1.0, 0.0]


def test_a_folder_that_comes_later_joins_in(tmp_path: Path) -> None:
    crops = BeatCrops({tmp_path / "a": 0.5, tmp_path / "b": 0.5}, LOG_STFT_16K, 50, lookahead=2)
    with pytest.raises(DataError, match="a, .*b: expected shards of beats"):
        crops.draw(np.random.default_rng(0))
    write_beat_shard(tmp_path / "b")
    assert crops.draw(np.random.default_rng(0))["targets"].shape == (50, 2)


def test_silence_stays_silence_however_it_is_varied() -> None:
    silence = np.zeros((4, N_BINS), np.uint8)
    heard = varied(silence, LOG_STFT_16K, np.random.default_rng(0))
    np.testing.assert_allclose(heard, np.log(LOG_STFT_16K.log_floor), atol=1e-3)
