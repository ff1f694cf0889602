"""Initial biases of output layers."""

import math

from torch import nn


def init_bias(head: nn.Linear | nn.Conv1d | nn.Conv2d, probability: float) -> None:
    """Set the bias of a layer of logits so that it begins at a probability.

    Few keys sound at a time. A network that begins at one half spends its first hundreds of steps
    on nothing but learning that.
    """
    assert head.bias is not None
    nn.init.constant_(head.bias, math.log(probability / (1 - probability)))
