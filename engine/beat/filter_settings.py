"""What the beat's filter believes before it hears anything, and where a tempo or metre is known."""

import math
from dataclasses import dataclass, replace

WITHIN = math.sqrt(2)  # factor on a tempo that is known: not half or twice of it
KNOWN_SPREAD = 0.2  # octaves around a tempo that is known


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """The filter's priors and weights."""

    slowest_bpm: float = 50.0
    fastest_bpm: float = 215.0
    usual_bpm: float = 105.0
    spread_octaves: float = 0.6  # standard deviation of tempos around the usual one
    metres: tuple[int, ...] = (3, 4)
    metre_shares: tuple[float, ...] = (0.12, 0.88)
    tempo_steadiness: float = 100.0  # a change by a share x has probability exp(-steadiness x)
    metre_change: float = 0.002  # on a bar's first beat
    bar_slip: float = 0.02  # on any beat: another beat of the bar than was thought
    restart: float = 1e-5  # in a frame: everything anew
    trust: float = 0.35  # in one frame's activation: neighbouring frames say the same again
    downbeat_trust: float = 0.3
    rest: float = 0.08  # of beats on which nothing is struck, in each frame near one
    struck: float = 0.5  # an activation speaks for a beat from this share of recent peaks on
    peak_memory: float = 3.0  # seconds
    usual_peak: float = 2.1  # log odds over that level; fainter songs' are trusted more
    downbeat_prior: float = 0.27  # of a beat
    bar_trust: float = 1.2  # in what the bar network says of one beat

    def known(
        self,
        bpm: float | None,
        metre: int | None,
        is_placed: bool = False,
        within: float = WITHIN,
    ) -> "FilterSettings":
        """Return these beliefs where a tempo, by a factor ``within`` of it, or a metre is known.

        ``is_placed`` says that the beat's place is known, too: nothing begins anew elsewhere.
        """
        found = replace(self, restart=0.0) if is_placed else self
        if bpm is not None:
            found = replace(
                found,
                slowest_bpm=bpm / within,
                fastest_bpm=bpm * within,
                usual_bpm=bpm,
                spread_octaves=KNOWN_SPREAD,
            )
        if metre is not None:
            found = replace(found, metres=(metre,), metre_shares=(1.0,))
        return found
