"""The engine's state in numbers, read from its threads."""

from engine.audio.opening import SongSource
from engine.live.worker import Worker
from engine.midi.scheduler import Scheduler
from engine.signal.meters import SILENCE_DBFS, Status


def read_status(worker: Worker, scheduler: Scheduler) -> Status:
    """Return the state now, without that of the MIDI ports. Any thread."""
    stream, processor = worker.session.stream, worker.processor
    levels = processor.meter.levels if worker.is_connected else ()
    source = worker.session.source
    return Status(
        song=source.place if isinstance(source, SongSource) else None,
        seconds=worker.now,
        peak_dbfs=max((level.peak_dbfs for level in levels), default=SILENCE_DBFS),
        levels=levels,
        n_clipped=processor.meter.n_clipped,
        is_clipping=processor.meter.is_clipping and worker.is_connected,
        latency=worker.budget.total,
        load=processor.load.load,
        max_load=processor.load.highest,
        n_notes=scheduler.n_sent,
        n_late=scheduler.n_late,
        n_dropped=scheduler.n_dropped + scheduler.n_overflowed,
        n_overruns=worker.n_overruns,
        n_skipped_frames=processor.n_skipped_frames(worker.session),
        n_losses=worker.n_losses,
        n_refused=scheduler.n_failed,
        a4_hz=stream.a4_hz,
        is_asleep=stream.is_asleep,
        is_connected=worker.is_connected,
        beat=worker.beat.now,
        accompanist="" if stream.accompanist is None else stream.accompanist.value,
    )
