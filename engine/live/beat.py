"""The beat of one session after the other, in host times: what follows it, and who hears of it."""

from dataclasses import replace

from engine.beat.follower import BeatFollower
from engine.core.taps import Taps
from engine.core.tempo import Beat, Tempo
from engine.live.session import Session


class LiveBeat:
    """The beat as it is now. On the worker's thread; ``now`` may be read by any.

    Parameters
    ----------
    follower
        Follows it; None where nothing does.
    taps
        Hear of each beat, and of every other change.

    Attributes
    ----------
    now : Beat
        In host times.
    """

    def __init__(self, follower: BeatFollower | None, taps: Taps) -> None:
        self.follower = follower
        self.now = Beat()
        self._taps = taps

    def look(self, session: Session) -> None:
        """Note where the beat is now."""
        before = self.now
        self.now = session.placed_beat(Beat() if self.follower is None else self.follower.beat)
        if self.now.is_news(before):
            self._taps.beat(self.now)

    def correct(self, session: Session, correction: str, host_time: float) -> None:
        """Take what a player says of the beat at a host time."""
        if self.follower is not None:
            self.follower.correct(correction, session.stream_time(host_time))
            self.look(session)

    def sequence(self, session: Session, tempo: Tempo | None) -> None:
        """Take a sequencer's tempo, in host times; None without one."""
        if self.follower is not None:
            if tempo is not None:
                tempo = replace(tempo, beat_at=session.stream_time(tempo.beat_at))
            self.follower.sequence(tempo)
