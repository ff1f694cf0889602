"""The tempo of the song, and where its beat is. Not here: hearing it (``engine.beat``)."""

import math
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Tempo:
    """Beats a minute, and where beats lie. Host times are seconds of ``time.perf_counter``."""

    bpm: float
    beat_at: float
    """The host time of one beat, which is a quarter note."""
    beat: int | None = None
    """Which one it is, counted from 0 at the song's begin; None if unknown."""
    beats_per_bar: int = 4

    @property
    def beat_s(self) -> float:
        """Seconds from one beat to the next."""
        return 60.0 / self.bpm

    def beat_of(self, host_time: float) -> float | None:
        """Return how many beats of the song are over at a host time; None if unknown.

        >>> Tempo(120.0, 10.0, 8).beat_of(11.25)
        10.5
        """
        return None if self.beat is None else self.beat + (host_time - self.beat_at) / self.beat_s

    def bar_at(self, host_time: float) -> float | None:
        """Return the host time of the last bar line up to ``host_time``; None if unknown.

        >>> Tempo(120.0, 10.0, 8).bar_at(13.5)
        12.0
        """
        beat = self.beat_of(host_time)
        if beat is None or self.beat is None:
            return None
        line = math.floor(beat / self.beats_per_bar + 1e-9) * self.beats_per_bar
        return self.beat_at + (line - self.beat) * self.beat_s


CORRECTIONS = ("tap", "halve", "double", "one")
"""What a player may say of the beat: a beat is here; the tempo is half or twice as fast; a bar
begins here."""


class BeatState(Enum):
    """Whether a beat is followed, goes on without evidence, or is lost."""

    LOCKED = "locked"
    HOLDING = "holding"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Beat:
    """Where the beat is, as far as is known at one time."""

    source: str = "off"
    """``off``, ``heard``, ``tapped``, or ``clock``: a sequencer's MIDI clock."""
    state: BeatState = BeatState.LOST
    confidence: float = 0.0
    """How sure what is heard is of it, 0 to 1."""
    tempo: Tempo | None = None
    """None before a beat was found. Bars are counted from the first one that was."""

    def place(self, host_time: float) -> tuple[int, int] | None:
        """Return bar and beat at a host time, both from 1; None if they are not known.

        >>> Beat("heard", BeatState.LOCKED, 1.0, Tempo(120.0, 10.0, 8)).place(10.6)
        (3, 2)
        """
        beats = None if self.tempo is None else self.tempo.beat_of(host_time)
        if beats is None or self.tempo is None:
            return None
        bar, beat = divmod(math.floor(beats), self.tempo.beats_per_bar)
        return max(0, bar) + 1, beat + 1

    def is_news(self, before: "Beat") -> bool:
        """Return whether a beat has passed since, or anything is not as it was."""
        return self._facts() != before._facts()

    def _facts(self) -> tuple[object, ...]:
        tempo = self.tempo
        if tempo is None or tempo.beat is not None:
            return self.source, self.state, tempo and (tempo.beat, tempo.beats_per_bar)
        return self.source, self.state, round(tempo.bpm, 1)
