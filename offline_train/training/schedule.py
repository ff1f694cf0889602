"""How long a run trains, and its learning rate."""

import math
from dataclasses import dataclass


def cosine(rate: float, progress: float, floor: float = 0.0) -> float:
    """Return a learning rate along half a cosine; ``floor`` is the share that is left at the end.

    >>> cosine(1.0, 0.5)
    0.5
    >>> cosine(1.0, 1.0, floor=0.25)
    0.25
    """
    return rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long a run trains, and how fast.

    It ends after ``steps`` or after ``seconds`` of training, whichever comes first; 0 is no limit.
    """

    learning_rate: float
    steps: int = 0
    seconds: float = 0.0  # over all sessions, without validation
    session_s: float = math.inf  # stop, ready to resume, after so long
    warmup_steps: int = 0
    floor: float = 0.0  # share of the learning rate at the end; 1 keeps it constant
    clip: float = math.inf  # norm of the gradients, at most
    valid_every: int = 0  # steps; 0 is at the end only

    def progress(self, step: int, seconds: float) -> float:
        """Return the share of the run that is over, 0 to 1."""
        of_steps = step / self.steps if self.steps else 0.0
        return min(max(of_steps, seconds / self.seconds if self.seconds else 0.0), 1.0)

    def rate(self, step: int, progress: float) -> float:
        """Return the learning rate of a step: linear warm-up, then half a cosine."""
        warmed_up = self.learning_rate * min(1.0, (step + 1) / max(self.warmup_steps, 1))
        return cosine(warmed_up, progress, self.floor)
