"""nnAudio front ends as torch modules: (B, samples) in, log magnitudes (B, T, F) out.

Built from a ``FeatureSpec``; trained on and exported from this one place.
"""

import torch
from nnAudio.features import STFT, MelSpectrogram
from torch import Tensor, nn

from models.spec import FeatureSpec

LOG_STFT_16K = FeatureSpec(
    name="logstft-16k",
    layer="STFT",
    sample_rate=16000,
    n_fft=2048,
    win_length=2048,
    hop_length=256,
    n_bins=291,
    f_min=27.5 * 2 ** (-1 / 36),
    f_max=27.5 * 2 ** (289 / 36),
    log_floor=0.01,
)
"""Three bins a semitone from a third below A0 to 7.2 kHz: bin 3 p + 1 is pitch p + 21.

On a logarithmic axis a transposition is a shift and a harmonic a constant distance, so the
network can share its weights along pitch.
"""

MEL_HFT = FeatureSpec(
    name="mel-hft",
    layer="MelSpectrogram",
    sample_rate=16000,
    n_fft=2048,
    win_length=2048,
    hop_length=256,
    n_bins=256,
    f_min=0.0,
    f_max=8000.0,
    log_floor=1e-8,
    power=2.0,
    is_htk=True,
)
"""What hFT-Transformer and AMT-APC hear: mel energies, HTK's scale, Slaney's norm (torchaudio's
defaults in their code). The lowest filters are narrower than a Fourier bin and stay empty.
"""


class Features(nn.Module):
    """The nnAudio layer that a spec names, without padding, followed by a logarithm."""

    def __init__(self, spec: FeatureSpec) -> None:
        super().__init__()
        self.log_floor = spec.log_floor
        self.layer: nn.Module
        if spec.layer == "STFT":
            # nnAudio places bin k at fmin * (fmax / fmin) ** (k / n_bins): its fmax is one bin on.
            step = (spec.f_max / spec.f_min) ** (1 / (spec.n_bins - 1))
            self.layer = STFT(
                n_fft=spec.n_fft,
                win_length=spec.win_length,
                hop_length=spec.hop_length,
                freq_bins=spec.n_bins,
                freq_scale="log",
                fmin=spec.f_min,
                fmax=spec.f_max * step,
                sr=spec.sample_rate,
                center=False,
                output_format="Magnitude",
                verbose=False,
            )
        elif spec.layer == "MelSpectrogram":
            self.layer = MelSpectrogram(
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
            )
        else:
            raise ValueError(f"layer must be STFT or MelSpectrogram, not {spec.layer!r}")

    def forward(self, samples: Tensor) -> Tensor:
        """Return log magnitudes (B, (n - win_length) // hop_length + 1, n_bins) of (B, n)."""
        magnitude: Tensor = self.layer(samples)
        return torch.log(magnitude + self.log_floor).transpose(1, 2)
