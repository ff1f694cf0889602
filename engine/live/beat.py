"""The beat of one session after the other, in host times: what follows it, and who hears of it."""

from collections import deque
from dataclasses import replace

from engine.beat.follower import BeatFollower
from engine.core.taps import Taps
from engine.core.tempo import Beat, Tempo
from engine.live.session import Session

MAX_CORRECTIONS = 32
"""That wait; more drop the oldest."""


class LiveBeat:
    """The beat as it is now. On the worker's thread, unless said otherwise.

    Parameters
    ----------
    follower
        Follows it; None where nothing does.
    taps
        Hear of each beat, and of every other change.

    Attributes
    ----------
    now : Beat
        In host times. Any thread may read it.
    """

    def __init__(self, follower: BeatFollower | None, taps: Taps) -> None:
        self.follower = follower
        self.now = Beat()
        self._taps = taps
        self._corrections: deque[tuple[str, float]] = deque(maxlen=MAX_CORRECTIONS)
        self._sequencer: Tempo | None = None  # as it was told last
        self._followed: Tempo | None = None  # the one that the follower has

    def look(self, session: Session) -> None:
        """Take what a player and a sequencer said; note where the beat is now."""
        self._take_what_was_said(session)
        before = self.now
        self.now = session.placed_beat(Beat() if self.follower is None else self.follower.beat)
        if self.now.is_news(before):
            self._taps.beat(self.now)

    def correct(self, correction: str, host_time: float) -> None:
        """Take what a player says of the beat at a host time, at the next look. Any thread."""
        self._corrections.append((correction, host_time))

    def sequence(self, tempo: Tempo | None) -> None:
        """Take a sequencer's tempo, in host times, at the next look; None without. Any thread."""
        self._sequencer = tempo

    def _take_what_was_said(self, session: Session) -> None:
        follower, tempo = self.follower, self._sequencer
        if follower is None:
            self._corrections.clear()
            return
        if tempo is not self._followed:
            self._followed = tempo
            if tempo is not None:
                tempo = replace(tempo, beat_at=session.stream_time(tempo.beat_at))
            follower.sequence(tempo)
        while self._corrections:
            correction, host_time = self._corrections.popleft()
            follower.correct(correction, session.stream_time(host_time))
