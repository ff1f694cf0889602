"""What a network says before it has learned anything."""

import math

from torch import nn


def guess(head: nn.Linear | nn.Conv1d | nn.Conv2d, probability: float) -> None:
    """Let a layer of logits begin at a probability, by its bias.

    Few keys sound at a time. A network that begins at one half spends its first hundreds of steps
    on nothing but learning that.
    """
    assert head.bias is not None
    nn.init.constant_(head.bias, math.log(probability / (1 - probability)))
