"""Paper 3's recurrent network: the backbone of ``models.papers.fcnn``, read by a GRU along time.

"Neural Music Transcription with Spatiotemporal Vision Models" (Sharma and Xiao, 2022), section 2.3:
"a GRU in place of our Conv1D layer in our FCNN model, and kept everything else the same". Shapes
as in ``models.papers.fcnn``; H hidden.
"""

import torch
from torch import Tensor, nn

from models.papers.fcnn import MARGIN_FRAMES, Backbone, VisionConfig
from models.spec import N_PITCHES


class Crnn(nn.Module):
    """The backbone, a causal GRU, and a linear layer to the keys."""

    margin_frames = MARGIN_FRAMES

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        self.gru = nn.GRU(config.width, config.hidden, batch_first=True)
        self.head = nn.Linear(config.hidden, N_PITCHES)

    def init_hidden(self, batch: int) -> Tensor:
        """Return the GRU's state before the first frame, (1, B, H)."""
        return torch.zeros(1, batch, self.config.hidden)

    def roll(self, features: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (B, n, P) of features (B, n + 2 m, F), and the next hidden state."""
        x, hidden = self.gru(self.backbone(features), hidden)
        return self.head(x), hidden
