"""The latency from a note's onset in the audio to its MIDI message, part by part.

The worst case is counted: a note whose onset is the first sample of a block, just after a frame,
at the beginning of a step, and is confirmed by its neighbour frame. Bare times are seconds.
"""

from dataclasses import dataclass

from engine.core.errors import ConfigError
from engine.core.settings import EngineSettings, TimeSettings
from models.spec import ModelSpec

KEPT_S = 0.02
"""Of the time to spare that nothing waits for: a device may be slower than it promised."""
KEPT_ON_BEAT_S = 0.08
"""The same of a cover on the beat, at the least: its tune waits for late notes."""
KEPT_ON_BEAT = 0.5
"""The share of it, there: what follows is read, and the beat is known better."""


@dataclass(frozen=True, slots=True)
class LatencyBudget:
    """The parts of the latency, (name, seconds) in the order in which a sample meets them."""

    parts: tuple[tuple[str, float], ...]

    @property
    def total(self) -> float:
        """Seconds from an onset in the audio to its note-on."""
        return sum(seconds for _, seconds in self.parts)

    @property
    def reserve(self) -> float:
        """Seconds beyond the least possible."""
        return dict(self.parts).get("reserve", 0.0)

    def describe(self) -> str:
        """Return one line: the sum, then its parts, in milliseconds.

        >>> LatencyBudget((("capture block", 0.005), ("half window", 0.064))).describe()
        'latency 69 ms = 5.0 capture block + 64.0 half window'
        """
        parts = " + ".join(f"{1000 * seconds:.1f} {name}" for name, seconds in self.parts)
        return f"latency {1000 * self.total:.0f} ms = {parts}"


def wait_frames(budget: LatencyBudget, settings: EngineSettings, frame_s: float) -> int:
    """Return for how many frames of later sound a latency leaves time.

    ``budget`` is a cover's by the model that waits for nothing; 0 where it is the least possible.
    """
    kept = max(KEPT_ON_BEAT_S, KEPT_ON_BEAT * budget.reserve)
    if settings.play.rhythm == "free":
        kept = KEPT_S
    return max(0, int((budget.reserve - kept) / frame_s))


def writing_lead(
    spec: ModelSpec,
    time: TimeSettings,
    *,
    block: float,
    device: float,
    resampler: float,
    port: float = 0.0,
) -> float:
    """Return the seconds from a moment to the time for which a note written then can be sent.

    Of a player who writes ahead, at each hop of the front end; parameters as ``latency_budget``.
    """
    waiting = block + device + resampler + spec.features.frame_s
    return waiting + time.compute_allowance + time.output_allowance + port


def latency_budget(
    spec: ModelSpec,
    time: TimeSettings,
    *,
    block: float,
    device: float = 0.0,
    resampler: float = 0.0,
    decoder_frames: int = 1,
    port: float = 0.0,
) -> LatencyBudget:
    """Return the budget of a session.

    Parameters
    ----------
    spec
        The model: half its window, its lookahead, the step that its frames wait for.
    time
        Allowances, and the latency asked for.
    block, device, resampler
        Seconds that a block lasts, that the device reports, that the resampler holds back.
    decoder_frames
        Frames that the decoder waits for after a peak.
    port
        Seconds that a message takes from the port to its receivers (``MidiSink.latency``).

    Raises
    ------
    ConfigError
        If a latency is asked for that is smaller than the least possible.
    """
    frame = spec.features.frame_s
    parts = [
        ("capture block", block),
        ("device", device),
        ("resampler", resampler),
        ("half window", spec.features.half_window_s),
        ("lookahead", spec.lookahead_frames * frame),
        ("step", (spec.step_frames - 1) * frame),
        # an onset lies up to half a frame before the frame of its peak
        ("onset peak", (decoder_frames + 0.5) * frame),
        ("compute", time.compute_allowance),
        ("output", time.output_allowance),
        ("MIDI graph", port),
    ]
    parts = [(name, seconds) for name, seconds in parts if seconds > 0]
    least = sum(seconds for _, seconds in parts)
    if time.latency is not None:
        if time.latency < least - 5e-4:  # what is printed is rounded to milliseconds
            raise ConfigError(
                f"time.latency must be at least {least:.3f} s with this model and input, not"
                f" {time.latency:g}; give more, or auto for the least possible"
            )
        parts.append(("reserve", max(0.0, time.latency - least)))
    return LatencyBudget(tuple(parts))
