"""nnAudio front ends as torch modules: (B, samples) in, log magnitudes (B, T, F) out.

Built from a ``FeatureSpec``; trained on and exported from this one place.
"""

import torch
from nnAudio.features import STFT, CQT1992v2, MelSpectrogram
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
"""Features of hFT-Transformer and AMT-APC: mel energies, HTK's scale, Slaney's norm (torchaudio's
defaults in their code). The lowest filters are narrower than a Fourier bin and stay empty.
"""

MEL_VISION = FeatureSpec(
    name="mel-vision",
    layer="MelSpectrogram",
    sample_rate=16000,
    n_fft=2048,
    win_length=2048,
    hop_length=160,
    n_bins=229,
    f_min=30.0,
    f_max=8000.0,
    log_floor=1e-6,
    power=2.0,
    is_htk=True,
)
"""Features of "Neural Music Transcription with Spatiotemporal Vision Models". Its code takes the
logarithm of 0 and replaces the result; here is a floor instead.
"""

CQT_TRANSFER = FeatureSpec(
    name="cqt-transfer",
    layer="CQT",
    sample_rate=16000,
    n_fft=32768,
    win_length=32768,
    hop_length=512,
    n_bins=176,
    f_min=27.5,
    f_max=27.5 * 2 ** (175 / 24),
    log_floor=1e-5,
)
"""Features of Leś and Woźniak (2023): two bins a semitone from A0 on. A frame of A0 lasts 1.2 s, so
the layer's window is two seconds long: for files, not for a live stream.
"""

CQT_BINS_PER_OCTAVE = 24


class FastFourier(nn.Module):
    """nnAudio's linear STFT by the fast Fourier transform: (B, 1, n) in, magnitudes (B, bins, T).

    nnAudio convolves with every bin's kernel: for 2,048 samples 17 MB of weights, and ten times as
    long a frame in ONNX Runtime.
    """

    window: Tensor

    def __init__(self, spec: FeatureSpec) -> None:
        super().__init__()
        self.n_fft, self.win_length, self.hop_length = spec.n_fft, spec.win_length, spec.hop_length
        self.register_buffer("window", torch.hann_window(spec.win_length))

    def forward(self, samples: Tensor, output_format: str = "Magnitude") -> Tensor:
        """Return what nnAudio's layer returns in the one format there is."""
        assert output_format == "Magnitude"
        is_exporting = torch.onnx.is_in_onnx_export()  # which knows no complex numbers
        spectrum = torch.stft(
            samples[:, 0],
            self.n_fft,
            self.hop_length,
            self.win_length,
            self.window,
            center=False,
            return_complex=not is_exporting,
        )
        if is_exporting:
            return spectrum.square().sum(-1).sqrt()
        return spectrum.abs()


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
            self.layer.stft = FastFourier(spec)
        elif spec.layer == "CQT":
            self.layer = CQT1992v2(
                sr=spec.sample_rate,
                hop_length=spec.hop_length,
                fmin=spec.f_min,
                n_bins=spec.n_bins,
                bins_per_octave=CQT_BINS_PER_OCTAVE,
                center=False,
                verbose=False,
            )
        else:
            raise ValueError(f"layer must be STFT, MelSpectrogram or CQT, not {spec.layer!r}")

    def forward(self, samples: Tensor) -> Tensor:
        """Return log magnitudes (B, (n - win_length) // hop_length + 1, n_bins) of (B, n)."""
        magnitude: Tensor = self.layer(samples)
        return torch.log(magnitude + self.log_floor).transpose(1, 2)
