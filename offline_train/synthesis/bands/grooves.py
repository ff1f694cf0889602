"""Hand-made grooves for ``band``: a bar of sixteenth steps for drums, bass and chords.

``TRAIN_GROOVES`` and ``HELD_OUT_GROOVES`` are disjoint, so that a model can be evaluated on a band
that is not in its training.
"""

from dataclasses import dataclass

KICK, SIDE_STICK, SNARE = 36, 37, 38  # General MIDI drum keys
HAT, TOM, OPEN_HAT = 42, 45, 46
CRASH, RIDE, SHAKER = 49, 51, 70


@dataclass(frozen=True, slots=True)
class Groove:
    """One bar of sixteenths: ``x`` a hit, ``o`` a soft one, ``.`` none.

    ``bass`` uses digits 1 the chord's bass, 5 its fifth, 8 octave, ``-`` holds; ``comp`` gives
    steps at which the chord is struck and ``comp_style`` how: block, strum, arpeggio, or pad (held
    through the chord).
    """

    name: str
    drums: dict[int, str]
    bass: str
    comp: str
    comp_style: str
    swing: float = 0.0


TRAIN_GROOVES = (
    Groove("pop8",
           {KICK: "x.......x.x.....", SNARE: "....x.......x...", HAT: "x.x.x.x.x.x.x.x."},
           "1-------1-1-----", "x...x...x...x...", "block"),
    Groove("rock",
           {KICK: "x.....x.x.x.....", SNARE: "....x.......x...", OPEN_HAT: "x...x...x...x..."},
           "1-1-1-1-1-1-1-1-", "x.x.x.x.x.x.x.x.", "strum"),
    Groove("ballad",
           {KICK: "x.........x.....", SIDE_STICK: "....x.......x...", HAT: "x.o.x.o.x.o.x.o."},
           "1---------5-----", "x.x.x.x.x.x.x.x.", "arpeggio"),
    Groove("disco",
           {KICK: "x...x...x...x...", SNARE: "....x.......x...", OPEN_HAT: "..x...x...x...x."},
           "1-8-1-8-1-8-1-8-", "..x...x...x...x.", "block"),
    Groove("sixteen",
           {KICK: "x..x......x..x..", SNARE: "....x.......x..o", HAT: "xoxoxoxoxoxoxoxo"},
           "1--1--1---5--8--", "x..x..x.x..x..x.", "strum"),
    Groove("pad",
           {RIDE: "x...x.x.x...x.x.", KICK: "x.......x......."},
           "1---------------", "x...............", "pad"),
    Groove("shuffle",
           {KICK: "x.......x.......", SNARE: "....x.......x...", RIDE: "x..ox..ox..ox..o"},
           "1---5---8---5---", "x..x..x..x..x...", "block", 0.3),
    Groove("arps",
           {KICK: "x.......x.......", SHAKER: "xoxoxoxoxoxoxoxo"},
           "1-------5-------", "xxxxxxxxxxxxxxxx", "arpeggio"),
)  # fmt: skip
HELD_OUT_GROOVES = (
    Groove("bossa",
           {KICK: "x..xx..xx..xx..x", SIDE_STICK: "x..x..x...x..x..", HAT: "x.x.x.x.x.x.x.x."},
           "1-----5-5-----1-", "x..x..x...x..x..", "block"),
    Groove("reggae",
           {KICK: "........x.......", SNARE: "........x.......", HAT: "x.x.x.x.x.x.x.x."},
           "1-----1-5---1---", "....x.......x...", "strum"),
    Groove("halftime",
           {KICK: "x.....x...x.....", SNARE: "........x.......", RIDE: "x.x.x.x.x.x.x.x."},
           "1-----------1-5-", "x.....x.....x...", "strum"),
)  # fmt: skip
