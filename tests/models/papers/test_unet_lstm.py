"""The network of instrument transfer, and the CQT that it hears."""

import numpy as np
import pytest
import torch

from models.features import CQT_TRANSFER, Features
from models.papers.unet_lstm import UnetLstm, UnetLstmConfig
from models.spec import N_PITCHES

TINY = UnetLstmConfig(channels=(2, 3, 4), hidden=5)


def test_its_parts_are_the_papers() -> None:
    """BiLSTM 176 on 176 bins, linear 352 to 88, U-Net of 16, 32, 64 and 128 channels."""
    network = UnetLstm(UnetLstmConfig())
    assert (network.lstm.input_size, network.lstm.hidden_size) == (176, 176)
    assert network.lstm.bidirectional
    assert (network.head.in_features, network.head.out_features) == (352, N_PITCHES)
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_350_145


@pytest.mark.parametrize("n_frames", [1, 16, 37])
@torch.inference_mode()
def test_any_number_of_frames_goes_in_and_comes_out(n_frames: int) -> None:
    network = UnetLstm(TINY).eval()
    assert network(torch.randn(2, n_frames, 176)).shape == (2, n_frames, N_PITCHES)


@torch.inference_mode()
def test_level_does_not_matter() -> None:
    """Each item is scaled between its extremes."""
    network = UnetLstm(TINY).eval()
    features = torch.randn(1, 16, 176)
    torch.testing.assert_close(network(features), network(0.5 * features - 3), atol=1e-5, rtol=1e-4)


def test_a_tone_is_highest_in_its_bin() -> None:
    time = np.arange(16000 * 3) / 16000
    tone = np.sin(2 * np.pi * 440 * time).astype(np.float32)
    features = Features(CQT_TRANSFER)(torch.from_numpy(tone)[None])[0]
    assert features.shape == (int((len(tone) - 32768) / 512) + 1, 176)
    assert set(features.argmax(1).tolist()) == {96}  # A4 lies 48 semitones above A0
