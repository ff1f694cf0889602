import pytest
import torch
from nnAudio.features import STFT

from models.features import MEL_HFT, MEL_VISION, Features
from models.spec import FeatureSpec


@pytest.mark.parametrize("spec", [MEL_HFT, MEL_VISION], ids=lambda s: s.name)
def test_fast_fourier_is_nnaudios(spec: FeatureSpec) -> None:
    generator = torch.Generator().manual_seed(0)
    size = (2, spec.win_length + 7 * spec.hop_length + 3)
    samples = 0.1 * torch.randn(size, dtype=torch.double, generator=generator)
    features = Features(spec).double()
    fast = features(samples)
    features.layer.stft = STFT(
        n_fft=spec.n_fft, hop_length=spec.hop_length, center=False, verbose=False
    ).double()
    torch.testing.assert_close(fast, features(samples), atol=1e-4, rtol=0)
