"""The ``status`` message: what a page shows of the instrument's state."""

import dataclasses

from engine.core.song_place import SongPlace
from engine.core.tempo import Beat
from livecover.instrument.instrument import Instrument


def status_message(instrument: Instrument, now: float) -> dict[str, object]:
    """Return the message, as ``livecover.panel.messages`` describes it.

    ``now`` is seconds of ``time.perf_counter``.
    """
    status = instrument.status()
    return {
        "type": "status",
        "now": round(now, 4),
        "playing": instrument.is_playing,
        "recording": instrument.recorder.is_recording,
        "recording_fault": instrument.recorder.fault,
        "asleep": status.is_asleep,
        "connected": status.is_connected,
        "midi_connected": status.is_midi_connected,
        "seconds": round(status.seconds, 2),
        "peak_dbfs": round(status.peak_dbfs, 1),
        "levels": [
            [round(x.peak_dbfs, 1), round(x.hold_dbfs, 1), x.n_clipped] for x in status.levels
        ],
        "n_clipped": status.n_clipped,
        "song": None if status.song is None else _song(status.song),
        "load": round(status.load, 3),
        "max_load": round(status.max_load, 3),
        "a4_hz": round(status.a4_hz, 1),
        "n_notes": status.n_notes,
        "n_late": status.n_late,
        "n_dropped": status.n_dropped,
        "n_overruns": status.n_overruns,
        "n_skipped_frames": status.n_skipped_frames,
        "n_losses": status.n_losses,
        "n_midi_losses": status.n_midi_losses,
        "latency": round(status.latency, 4),
        "budget": [[name, round(seconds, 4)] for name, seconds in instrument.budget.parts],
        "source": instrument.source_name,
        "sink": instrument.sink_name,
        "model": instrument.model_name,
        "accompanist": status.accompanist,
        "beat": _beat(status.beat),
        "ports": [dataclasses.asdict(port) for port in instrument.ports()],
        "learns": bool(instrument.controllers.port),
        "sync_running": instrument.outputs.is_sync_running,
        "link_peers": instrument.outputs.n_link_peers,
        "song_delay": round(instrument.song.delay, 4),
        "fault": instrument.error,
    }


def _beat(beat: Beat) -> dict[str, object]:
    """Return the beat, with the time and the number of the one that comes next."""
    message: dict[str, object] = {"source": beat.source, "state": beat.state.value, "bpm": None}
    if (tempo := beat.tempo) is None:
        return message
    return {
        **message,
        "bpm": round(tempo.bpm, 3),
        "at": round(tempo.beat_at, 4),
        "number": tempo.beat,
        "metre": tempo.beats_per_bar,
    }


def _song(place: SongPlace) -> dict[str, object]:
    loop = None if place.loop is None else [round(second, 3) for second in place.loop]
    return {
        "position": round(place.position, 2),
        "duration": round(place.duration, 2),
        "paused": place.is_paused,
        "loop": loop,
    }
