"""Where the beat is, as the filter, the clock, players and sequencers tell each other.

Not here: who finds it (``filter``), and what follows it (``clock``).
"""

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class BeatEstimate:
    """Where the beat is at a frame: what the filter thinks most likely.

    ``phase`` is 0 to 1 of a beat, ``period`` seconds a beat; ``beat_in_bar`` 0 to metre - 1.
    ``confidence`` is the probability of all states near it, ``bar_confidence`` that of its bar.
    """

    frame: int
    phase: float
    period: float
    beat_in_bar: int
    metre: int
    confidence: float
    bar_confidence: float

    def scaled(self, factor: int) -> "BeatEstimate":
        """Return the same, told in ``factor`` beats for each; its bars are as long in beats."""
        beats = factor * (self.beat_in_bar + self.phase)
        beat = math.floor(beats)
        place, period = beat % self.metre, self.period / factor
        return replace(self, phase=beats - beat, period=period, beat_in_bar=place)

    def later(self, seconds: float) -> "BeatEstimate":
        """Return the same, so many seconds later; earlier where they are negative."""
        beats = self.beat_in_bar + self.phase + seconds / self.period
        beat = math.floor(beats)
        return replace(self, phase=beats - beat, beat_in_bar=beat % self.metre)
