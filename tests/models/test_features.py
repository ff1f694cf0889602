import pytest
import torch
from nnAudio.features import MelSpectrogram

from models.features import MEL_HFT, MEL_VISION, Features
from models.spec import FeatureSpec


@pytest.mark.parametrize("spec", [MEL_HFT, MEL_VISION], ids=lambda s: s.name)
def test_mel_is_nnaudios_own(spec: FeatureSpec) -> None:
    own = MelSpectrogram(
        sr=spec.sample_rate,
        n_fft=spec.n_fft,
        win_length=spec.win_length,
        hop_length=spec.hop_length,
        n_mels=spec.n_bins,
        fmin=spec.f_min,
        fmax=spec.f_max,
        center=False,
        power=spec.power,
        htk=spec.is_htk,
        verbose=False,
    ).double()
    samples = 0.1 * torch.randn(
        2, spec.win_length + 7 * spec.hop_length + 3, dtype=torch.double, generator=_seeded()
    )
    expected = torch.log(own(samples) + spec.log_floor).transpose(1, 2)
    torch.testing.assert_close(Features(spec).double()(samples), expected, atol=1e-4, rtol=0)


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)
