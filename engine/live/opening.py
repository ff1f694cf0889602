"""Opening an engine's parts, at first and for other settings, while playing goes on.

Not here: how a source, a model or a sink is opened (``engine.audio.opening``, ``engine.cover``,
``engine.midi.sinks``), and what the worker does with what was opened (``worker``).
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from engine.accompany.accompanist import Accompanist
from engine.audio.opening import AudioSource
from engine.beat.follower import BeatFollower
from engine.core.settings import AudioSettings, BeatSettings, EngineSettings, ModelSettings
from engine.cover.accompanying import needed_accompanist
from engine.cover.style import style_vector
from engine.live.change import Change
from engine.live.session import Session
from engine.live.worker import Worker
from engine.midi.sinks import MidiSink, close_unused, sinks_of
from engine.model.cover_model import CoverModel
from engine.model.latency import LatencyBudget
from engine.model.pipeline import Pipeline
from models.spec import FeatureSpec


@dataclass(frozen=True, slots=True)
class Parts:
    """What an engine begins with; the session is not started."""

    budget: LatencyBudget
    pipeline: Pipeline
    follower: BeatFollower | None
    accompanist: Accompanist | None
    session: Session
    sink: MidiSink


class PartsOpener:
    """Opens what settings name.

    Parameters
    ----------
    open_source, open_pipeline, open_beat, open_accompanist, open_sink
        Open one part each.

    Attributes
    ----------
    port_latency : float
        Seconds from the MIDI ports in use to their receivers, as they said when they were opened.
    """

    def __init__(
        self,
        open_source: Callable[[str, AudioSettings], AudioSource],
        open_pipeline: Callable[[ModelSettings], Pipeline],
        open_beat: Callable[[BeatSettings, FeatureSpec], BeatFollower | None],
        open_accompanist: Callable[[EngineSettings], Accompanist],
        open_sink: Callable[[Sequence[str], Sequence[MidiSink]], MidiSink],
    ) -> None:
        self._open_source = open_source
        self._open_pipeline = open_pipeline
        self._open_beat = open_beat
        self._open_accompanist = open_accompanist
        self._open_sink = open_sink
        self.port_latency = 0.0

    def open(self, settings: EngineSettings) -> Parts:
        """Open everything. Raises LiveCoverError; no sink is open then."""
        pipeline = self._open_pipeline(settings.model)
        follower = self._open_beat(settings.beat, pipeline.spec.features)
        accompanist = needed_accompanist(settings, pipeline.spec, follower, self._open_accompanist)
        session = self.open_session(settings, 0.0)
        session.budget(pipeline, settings)  # as promised: what cannot be is refused now
        sink = self._open_sink(settings.midi.midi_out, ())
        self.port_latency = session.port_latency = sink.latency
        try:
            pipeline.model = pipeline.model.waiting(session.wait_frames(pipeline, settings))
            budget = session.budget(pipeline, settings)
        except BaseException:
            sink.close()
            raise
        return Parts(budget, pipeline, follower, accompanist, session, sink)

    def open_session(self, settings: EngineSettings, offset: float) -> Session:
        """Return a session of the settings' source, which begins at the engine's time ``offset``.

        Raises DeviceError.
        """
        source = self._open_source(settings.audio.input, settings.audio)
        return Session(source, settings, offset, self.port_latency)

    def prepare(
        self, settings: EngineSettings, worker: Worker, used: MidiSink, undo: contextlib.ExitStack
    ) -> tuple[Change, MidiSink]:
        """Open what other settings need, beside the sink in ``used``; ``undo`` closes it.

        Return what the worker is to apply, and the sink to be used from then on. Raises
        LiveCoverError.
        """
        now = worker.settings
        opened = session = style = None
        if _player(settings) != _player(now):
            opened = self._open_pipeline(settings.model)
        elif settings.model.style != now.model.style:
            style = style_vector(settings.model.style, worker.pipeline.spec)
        if replace(settings.audio, gain_db=now.audio.gain_db) != now.audio:
            session = self.open_session(settings, worker.now)
            undo.callback(session.source.stop)
            if worker.is_started:
                session.start()
        sink, port_latency = used, self.port_latency
        if settings.midi.midi_out != now.midi.midi_out:
            sink = self._open_sink(settings.midi.midi_out, sinks_of(used))
            undo.callback(close_unused, sink, used)
            port_latency = sink.latency
        budget, model = self._latency(settings, worker, opened, session, port_latency)
        follower, accompanist = self._accompaniment(settings, worker, opened)
        change = Change(
            settings, budget, port_latency, follower, accompanist, style, opened, model, session
        )
        return change, sink

    def _latency(
        self,
        settings: EngineSettings,
        worker: Worker,
        opened: Pipeline | None,
        session: Session | None,
        port_latency: float,
    ) -> tuple[LatencyBudget, CoverModel | None]:
        """Return the latency: a constant, unless something that it is made of changes.

        And the model that waits as long as that lets it; None where it is the one in use.
        """
        is_same = opened is None and session is None and port_latency == self.port_latency
        if is_same and _counted(settings) == _counted(worker.settings):
            return worker.budget, None
        used, pipeline = session or worker.session, opened or worker.pipeline
        model = pipeline.model.waiting(used.wait_frames(pipeline, settings, port_latency))
        budget = used.budget(pipeline, settings, port_latency, model)
        return budget, None if model is pipeline.model else model

    def _accompaniment(
        self, settings: EngineSettings, worker: Worker, opened: Pipeline | None
    ) -> tuple[BeatFollower | None, Accompanist | None]:
        """Return what follows the beat, and who accompanies: those in use, or others."""
        now, spec = worker.settings, (opened or worker.pipeline).spec
        follower, accompanist = worker.beat.follower, worker.accompanist
        if opened is not None or settings.beat.source != now.beat.source:
            follower = self._open_beat(settings.beat, spec.features)
        is_other = follower is not worker.beat.follower
        if opened is not None or is_other or _who(settings) != _who(now):
            accompanist = needed_accompanist(settings, spec, follower, self._open_accompanist)
        return follower, accompanist


def _player(settings: EngineSettings) -> tuple[object, ...]:
    """Return the settings that say which model plays, and where it runs."""
    return settings.model.model, settings.model.provider, settings.model.threads


def _who(settings: EngineSettings) -> tuple[object, ...]:
    """Return the settings that say who plays."""
    return settings.play.mode, settings.play.rhythm, settings.accompany.seed


def _counted(settings: EngineSettings) -> tuple[object, ...]:
    """Return the settings that are parts of the latency."""
    time, own = settings.time, settings.accompany
    allowances = time.latency, time.compute_allowance, time.output_allowance
    return *allowances, settings.play.mode, settings.play.rhythm, own.song_later, own.ahead
