"""Text about the engine's state: at the start, in the status line, in the log, at the end.

Not here: when it is shown (``livecover.playing``).
"""

from engine.core.tempo import Beat, BeatState
from engine.live.engine import Engine
from engine.signal.meters import Status
from engine.signal.tuning import A4_HZ
from engine.whole_song.cover import Cover
from livecover import __version__
from livecover.settings.sections import Settings

METER_BLOCKS = 8
METER_FLOOR_DBFS = -60.0


def start_lines(engine: Engine, settings: Settings) -> list[str]:
    """Return the lines at the start: input, output, model, latency."""
    source, spec = engine.source, engine.pipeline.spec
    given = settings.model.style
    style = "own style" if isinstance(given, tuple) else str(given)
    return [
        f"livecover {__version__}: {source.name} ({source.sample_rate} Hz, {source.n_channels} ch)"
        f" to {engine.sink.name}",
        f"model {spec.name} {spec.version}, {style}, on {settings.model.provider}",
        _accompanies(settings) if settings.is_accompanying else engine.budget.describe(),
        *([f"MIDI clock to {settings.sync.midi_out}, once a beat is found"] * settings.sync.is_on),
        *(["Ableton Link, once a beat is found"] * settings.sync.link),
        "Ctrl-C stops",
    ]


def _accompanies(settings: Settings) -> str:
    """Return what mode accompany does first, in one line."""
    ahead = settings.accompany.ahead
    sent = f", sent {1000 * ahead:.0f} ms ahead" if ahead else ""
    given = settings.beat.tempo is not None or settings.beat.source in ("tap", "clock")
    bars = "a bar" if given else "two bars, one if the tempo is tapped"
    return f"accompanies on the beat{sent}: listens for {bars}, then enters on a bar"


def status_line(status: Status, source: str, fault: str = "") -> str:
    """Return the status line; it begins with the kind of the recording fault, if there is one.

    >>> status_line(Status(65.0, -30.0, 0.185, n_notes=7, load=0.08, is_connected=True), "Speakers")
    '1:05 ████░░░░  -30 dB | 185 ms | 7 notes, 0 late, 0 dropped | 0 overruns | load 8% | Speakers'
    """
    clip = " CLIP" if status.is_clipping else ""
    return (
        f"{_kind(fault)}{_clock(status.seconds)} {_meter(status.peak_dbfs)}{clip}"
        f" | {_counts(status)}"
        f" | {_state(status, source)}"
    )


def log_line(status: Status, source: str, fault: str = "") -> str:
    """Return the same without the meter, for a log."""
    return (
        f"{_kind(fault)}{_clock(status.seconds)} {status.peak_dbfs:.0f} dB{_clipped(status)}"
        f" | {_counts(status)}"
        f" | {_state(status, source)}"
    )


def _kind(fault: str) -> str:
    """Return a fault's first words, for the beginning of a line.

    >>> _kind("recording has failed: the disk is full")
    'recording has failed | '
    """
    return f"{fault.partition(':')[0]} | " if fault else ""


def summary(status: Status) -> list[str]:
    """Return the summary at the end of playing live."""
    lines = [
        f"{status.n_notes} notes in {_clock(status.seconds)}: {status.n_late} late,"
        f" {status.n_dropped} dropped, latency {1000 * status.latency:.0f} ms",
        f"{status.n_overruns} overruns, {status.n_skipped_frames} frames skipped,"
        f" load {status.load:.0%}, at most {status.max_load:.0%}",
    ]
    if status.n_clipped:
        lines.append(f"the input clipped: {status.n_clipped} samples at full scale")
    if status.n_losses:
        lines.append(f"the input was lost {status.n_losses} times")
    if status.n_midi_losses:
        lines.append(
            f"a MIDI port was lost {status.n_midi_losses} times, and {status.n_refused} messages"
            " with it"
        )
    return lines


def cover_summary(cover: Cover, settings: Settings) -> list[str]:
    """Return the summary of covering a file."""
    first = "" if cover.is_whole else "stopped early: "
    names = ", ".join(settings.midi.midi_out)
    return [
        f"{first}{cover.n_notes} notes from {_clock(cover.seconds)} of {settings.audio.input}"
        f"{tuning_text(cover.a4_hz)} in {names}",
        f"took {cover.elapsed:.1f} s, real-time factor {cover.real_time_factor:.3f}",
    ]


def _clipped(status: Status) -> str:
    return f", {status.n_clipped} samples clipped" if status.n_clipped else ""


def _counts(status: Status) -> str:
    """Return the counts that both lines share."""
    skipped = f", {status.n_skipped_frames} skipped" if status.n_skipped_frames else ""
    return (
        f"{1000 * status.latency:.0f} ms | {status.n_notes} notes, {status.n_late} late,"
        f" {status.n_dropped} dropped | {status.n_overruns} overruns{skipped}"
        f" | load {status.load:.0%}{_tempo(status.beat)}"
    )


def _tempo(beat: Beat) -> str:
    """Return the song's tempo, after a line, with a question mark where it is not sure.

    >>> from engine.core.tempo import Tempo
    >>> _tempo(Beat("heard", BeatState.HOLDING, 0.0, Tempo(120.0, 10.0, 8)))
    ' | ♩ 120?'
    """
    if beat.tempo is None or beat.state is BeatState.LOST:
        return ""
    return f" | ♩ {beat.tempo.bpm:.0f}{'' if beat.state is BeatState.LOCKED else '?'}"


def _state(status: Status, source: str) -> str:
    """Return the source's name, and why it does not play, if so."""
    if not status.is_connected:
        return f"waiting for {source}"
    if not status.is_midi_connected:
        return f"{source}, the MIDI port is gone"
    if status.accompanist in ("listening", "resting"):
        return f"{source}, {status.accompanist}"
    tuned = tuning_text(status.a4_hz)
    return f"{source}, asleep in silence" if status.is_asleep else f"{source}{tuned}"


def tuning_text(a4_hz: float) -> str:
    """Return a song's tuning, after a comma, if A is not 440 Hz.

    >>> tuning_text(432.04), tuning_text(440.0)
    (', A = 432 Hz', '')
    """
    return f", A = {a4_hz:.0f} Hz" if a4_hz != A4_HZ else ""


def _meter(peak_dbfs: float) -> str:
    """Return the level as a bar and a number.

    >>> _meter(0.0), _meter(-120.0)
    ('████████    0 dB', '░░░░░░░░ -120 dB')
    """
    share = 1.0 - max(peak_dbfs, METER_FLOOR_DBFS) / METER_FLOOR_DBFS
    n_full = min(METER_BLOCKS, round(METER_BLOCKS * share))
    return f"{'█' * n_full}{'░' * (METER_BLOCKS - n_full)} {peak_dbfs:4.0f} dB"


def _clock(seconds: float) -> str:
    """Return minutes and seconds, with hours where there are any.

    >>> _clock(61.4), _clock(3723.0)
    ('1:01', '1:02:03')
    """
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
