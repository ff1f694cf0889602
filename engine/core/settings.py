"""Every setting of the engine, at its default, checked as soon as it is made.

One frozen dataclass a section; ``config.toml`` and the command line only override fields.
Bare times are seconds. Every class raises ConfigError that names the setting as it is written in
``config.toml`` (section.field). Not here: where the values come from (``livecover``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Self, cast

from engine.core import checks
from engine.core.errors import ConfigError
from engine.core.velocity import parse_curve
from models.spec import STYLE_DIM, Decoding

MIDI_FILE_SUFFIXES = (".mid", ".midi")
STYLE_FROM = "from:"
"""What stands before the path of a MIDI file whose style is meant."""
MAX_CHANNEL = 64
"""Of an audio input."""
MODES = ("cover", "accompany")
RHYTHMS = ("beat", "free")
PARTS_PLAYED = ("full", "accompaniment", "melody")
HEARS_ITSELF = ("auto", "on", "off")
PEDALS = ("off", "harmony")
BEAT_SOURCES = ("auto", "tap", "clock", "off")
METRES = ("3/4", "4/4")


@dataclass(frozen=True, slots=True)
class AudioSettings:
    """Section ``audio``: where the song comes from."""

    input: str = "loopback"
    """``loopback``, ``together``, ``mic``, a device's name or index, an audio file, ``-``, or
    ``app:`` and a program's name."""
    player: str = "auto"
    """Whose sound ``together`` takes: ``auto``, what plays; ``all``; or a program's name."""
    channels: tuple[int, ...] | None = None
    """Channels of a device or loopback that are heard, from 1; None is the first two."""
    gain_db: float = 0.0
    """Decibels by which the input is made louder, for meters, gate, takes and monitor."""
    block_size: int = 256
    """Samples in one block of the device."""
    sample_rate: int | None = None
    """Hertz asked of the device; None takes the device's own. A file has its own always."""
    ring: float = 2.0
    """Seconds of audio that the ring between device and worker holds."""

    def __post_init__(self) -> None:
        checks.text("audio.input", self.input)
        checks.text("audio.player", self.player)
        if self.channels is not None:
            if not self.channels or len(set(self.channels)) < len(self.channels):
                raise ConfigError(
                    "audio.channels must be auto or channels, each once, as [1, 2], not"
                    f" {list(self.channels)}"
                )
            for channel in self.channels:
                checks.integer("audio.channels", channel, 1, MAX_CHANNEL)
        checks.number("audio.gain_db", self.gain_db, -60.0, 60.0, " dB")
        checks.integer("audio.block_size", self.block_size, 16, 16384, " samples")
        if self.sample_rate is not None:
            checks.integer("audio.sample_rate", self.sample_rate, 4000, 768000, " Hz")
        checks.number("audio.ring", self.ring, 0.5, 60.0, " s")


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Section ``model``: which model plays, and how."""

    model: str = "live"
    """A shipped model's name or the path of an ONNX file."""
    style: str | float | tuple[float, ...] = "balanced"
    """A preset that the model's file names (calm, balanced, intense), ``from:FILE.mid``, a number
    from 0 (calm) to 1 (intense), or 24 numbers."""
    provider: str = "cpu"
    """Where the model runs: cpu, cuda, coreml or directml."""
    threads: int = 1
    """Threads that ONNX Runtime may use."""
    tuning: float | None = None
    """Hertz that A4 has in the song; None estimates it."""
    centre: float = 0.7
    """How much fainter a cover model hears what is not in the middle of a stereo sound, 0 to 1."""

    def __post_init__(self) -> None:
        checks.text("model.model", self.model)
        checks.text("model.provider", self.provider)
        checks.integer("model.threads", self.threads, 1, 256)
        if self.tuning is not None:
            checks.number("model.tuning", self.tuning, 392.0, 494.0, " Hz")
        checks.number("model.centre", self.centre, 0.0, 1.0)
        if isinstance(self.style, str):
            checks.text("model.style", self.style)
            if self.style.strip() == STYLE_FROM:
                raise ConfigError(f"model.style must name a MIDI file after {STYLE_FROM}")
            return
        if isinstance(self.style, int | float):
            checks.number("model.style", self.style, 0.0, 1.0, " (calm to intense)")
            return
        style: object = self.style  # of any type: the annotation is not checked
        if not isinstance(style, Sequence) or len(style) != STYLE_DIM:
            raise ConfigError(
                f"model.style must be a preset's name, {STYLE_FROM}FILE.mid, a number from 0 to 1"
                f" or {STYLE_DIM} numbers, not {self.style!r}"
            )
        for value in self.style:
            checks.number("model.style", value, -1e3, 1e3)
        object.__setattr__(self, "style", tuple(float(value) for value in self.style))


@dataclass(frozen=True, slots=True)
class DecoderSettings:
    """Section ``decoder``: how posteriors become notes. None is the model's own."""

    onset_threshold: float | None = None
    """Probability from which an onset peak starts a note."""
    frame_on_threshold: float | None = None
    """Frame probability that a note must reach once before hysteresis may end it."""
    frame_off_threshold: float | None = None
    """Frame probability below which a note ends."""
    restrike_threshold: float | None = None
    """Probability from which an onset peak strikes again a pitch that sounds."""
    melody_threshold: float | None = None
    """Probability from which a note belongs to the melody."""
    notes_per_second: float | None = None
    """Notes a second in the balanced style, which the thresholds follow; 0 keeps them fixed."""
    end_threshold: float | None = None
    """Share of a note's highest frame probability below which it has ended, once it is over; 0 ends
    it where that is seen."""
    density: float = 1.0
    """Notes played for each that the style asks for, as far as the model has any to offer."""
    minimum_note: float = 0.04
    """Seconds that every note lasts at least (unless it is struck again)."""
    minimum_gap: float = 0.06
    """Seconds from one note-on of a pitch to its next, at least."""
    maximum_note: float = 20.0
    """Seconds after which a note is ended whatever the model says."""
    polyphony: int = 16
    """Notes that may sound at once."""

    def __post_init__(self) -> None:
        for name in [f.name for f in fields(Decoding)]:
            value = getattr(self, name)
            if value is not None:
                high, unit = (1.0, "") if name.endswith("_threshold") else (50.0, " notes")
                checks.number(f"decoder.{name}", value, 0.0, high, unit)
        checks.number("decoder.density", self.density, 0.1, 4.0)
        on, off = self.frame_on_threshold, self.frame_off_threshold
        if on is not None and off is not None and off > on:
            raise ConfigError(
                f"decoder.frame_off_threshold ({off:g}) must not be above"
                f" decoder.frame_on_threshold ({on:g})"
            )
        checks.number("decoder.minimum_note", self.minimum_note, 0.0, 1.0, " s")
        checks.number("decoder.minimum_gap", self.minimum_gap, 0.0, 1.0, " s")
        checks.number("decoder.maximum_note", self.maximum_note, 1.0, 3600.0, " s")
        checks.integer("decoder.polyphony", self.polyphony, 1, 88, " notes")

    @classmethod
    def from_spec(cls, decoding: Decoding) -> Self:
        """Return the defaults with every threshold as the model's file gives it."""
        return cls().resolved(decoding)

    def resolved(self, decoding: Decoding) -> Self:
        """Return these settings with every None threshold taken from ``decoding``."""
        names = [f.name for f in fields(Decoding) if getattr(self, f.name) is None]
        return replace(self, **{name: getattr(decoding, name) for name in names})


@dataclass(frozen=True, slots=True)
class PlaySettings:
    """Section ``play``: what is played, and how it lies under the hands."""

    mode: str = "cover"
    """cover: the song, by a constant latency later; accompany: an accompaniment on its beat."""
    rhythm: str = "beat"
    """Of a cover. beat: on the song's beat where there is one, with an accompaniment as a pianist
    plays it; free: every note when and as it is heard."""
    parts: str = "full"
    """full, accompaniment (the melody is left to a singer or soloist) or melody."""
    hands: bool = False
    """True: only what two hands can play; always so on the beat, and in mode accompany."""
    hand_span: int = 14
    """Semitones from the lowest to the highest note that one hand holds."""
    pedal: str = "off"
    """off, or harmony: the sustain pedal changes with the harmony."""
    mute: bool = False
    """True: nothing is played."""
    hold: bool = False
    """True: the sustain pedal stays down."""

    def __post_init__(self) -> None:
        checks.choice("play.mode", self.mode, MODES)
        checks.choice("play.rhythm", self.rhythm, RHYTHMS)
        checks.choice("play.parts", self.parts, PARTS_PLAYED)
        checks.flag("play.hands", self.hands)
        checks.integer("play.hand_span", self.hand_span, 7, 24, " semitones")
        checks.choice("play.pedal", self.pedal, PEDALS)
        checks.flag("play.mute", self.mute)
        checks.flag("play.hold", self.hold)


LEAST_KEYS = 11
"""Least distance of the highest key from the lowest: every note of an octave has its place."""


@dataclass(frozen=True, slots=True)
class MidiSettings:
    """Section ``midi``: where the notes go."""

    midi_out: tuple[str, ...] = ("LiveCover",)
    """Port names and ``.mid`` files, all at once. A name that no port has opens a virtual port."""
    channel: int = 1
    """MIDI channel, 1 to 16."""
    melody_channel: int | None = None
    """The melody's, where it should be another."""
    left_channel: int | None = None
    """The left hand's accompaniment's, where it should be another and ``play.hands`` is on."""
    transpose: int = 0
    """Semitones added to every pitch."""
    octave: int = 0
    """Octaves added to every pitch."""
    melody_octave: int | None = None
    """Octaves added to the melody beside; None: one where it is sung too low for a piano's tune."""
    left_octave: int = 0
    """Octaves added to the left hand's accompaniment beside."""
    lowest_key: int = 0
    """MIDI note; what would be lower sounds octaves higher."""
    highest_key: int = 127
    """MIDI note; what would be higher sounds octaves lower."""
    velocity_curve: str | float = "linear"
    """linear, soft, hard, fixed, or a gamma: out = 127 * (in / 127) ** gamma."""
    lowest_velocity: int = 1
    """What the softest note becomes, after the curve."""
    highest_velocity: int = 127
    """What the loudest note becomes."""
    program: int | None = None
    """Program number that the ports get at the start, 0 to 127; None: none."""
    bank: int | None = None
    """Bank before it, 0 to 16383: MSB * 128 + LSB; None: none."""

    def __post_init__(self) -> None:
        given = cast("str | Sequence[str]", self.midi_out)
        names = (given,) if isinstance(given, str) else tuple(given)
        if not names:
            raise ConfigError("midi.midi_out must name at least one port or .mid file")
        for name in names:
            checks.text("midi.midi_out", name)
        object.__setattr__(self, "midi_out", names)
        checks.integer("midi.channel", self.channel, 1, 16)
        for name in ("melody_channel", "left_channel"):
            if getattr(self, name) is not None:
                checks.integer(f"midi.{name}", getattr(self, name), 1, 16)
        checks.integer("midi.transpose", self.transpose, -48, 48, " semitones")
        for name in ("octave", "melody_octave", "left_octave"):
            if getattr(self, name) is not None or name != "melody_octave":
                checks.integer(f"midi.{name}", getattr(self, name), -4, 4, " octaves")
        checks.integer("midi.lowest_key", self.lowest_key, 0, 127 - LEAST_KEYS)
        checks.integer("midi.highest_key", self.highest_key, self.lowest_key + LEAST_KEYS, 127)
        checks.integer("midi.lowest_velocity", self.lowest_velocity, 1, 127)
        checks.integer("midi.highest_velocity", self.highest_velocity, self.lowest_velocity, 127)
        for name, most in (("program", 127), ("bank", 2**14 - 1)):
            if getattr(self, name) is not None:
                checks.integer(f"midi.{name}", getattr(self, name), 0, most)
        parse_curve(self.velocity_curve)


@dataclass(frozen=True, slots=True)
class TimeSettings:
    """Section ``time``: when the notes go."""

    latency: float | None = None
    """Seconds from an onset in the audio to its note-on; None is the least possible."""
    late_tolerance: float = 0.03
    """A note found less than this many seconds too late is played at once, else dropped."""
    compute_allowance: float = 0.02
    """Seconds of the latency that a step of the engine may take."""
    output_allowance: float = 0.005
    """Seconds of the latency kept for the MIDI thread and its port."""
    backlog: float | None = None
    """Seconds of unread audio from which the engine skips; None: compute_allowance + 0.25."""

    def __post_init__(self) -> None:
        if self.latency is not None:
            checks.number("time.latency", self.latency, 0.0, 60.0, " s")
        checks.number("time.late_tolerance", self.late_tolerance, 0.0, 10.0, " s")
        checks.number("time.compute_allowance", self.compute_allowance, 0.0, 10.0, " s")
        checks.number("time.output_allowance", self.output_allowance, 0.0, 1.0, " s")
        if self.backlog is not None:
            checks.number("time.backlog", self.backlog, 0.01, 60.0, " s")

    @property
    def backlog_limit(self) -> float:
        """Seconds of unread audio from which the engine skips."""
        return self.compute_allowance + 0.25 if self.backlog is None else self.backlog


@dataclass(frozen=True, slots=True)
class GateSettings:
    """Section ``gate``: when the model sleeps."""

    enabled: bool = True
    """False: the model runs in silence too."""
    threshold_dbfs: float = -70.0
    """Peak level, dB below full scale, under which a block counts as silent."""
    hold: float = 1.0
    """Seconds of silence after which the model sleeps."""
    lead_in: float = 0.1
    """Seconds of audio before it wakes that the model still gets."""

    def __post_init__(self) -> None:
        checks.flag("gate.enabled", self.enabled)
        checks.number("gate.threshold_dbfs", self.threshold_dbfs, -120.0, -1.0, " dBFS")
        checks.number("gate.hold", self.hold, 0.1, 3600.0, " s")
        checks.number("gate.lead_in", self.lead_in, 0.0, 1.0, " s")


@dataclass(frozen=True, slots=True)
class BeatSettings:
    """Section ``beat``: how the song's beat is followed."""

    source: str = "auto"
    """auto: it is heard, unless a sequencer tells it; tap; clock, a sequencer's alone; or off."""
    tempo: float | None = None
    """Beats a minute, within its octave; None finds it."""
    metre: str | None = None
    """3/4 or 4/4; None finds it."""
    offset: float = 0.0
    """Seconds by which beats are later than they are heard, or a sequencer tells them."""

    def __post_init__(self) -> None:
        checks.choice("beat.source", self.source, BEAT_SOURCES)
        if self.tempo is not None:
            checks.number("beat.tempo", self.tempo, 40.0, 240.0, " beats a minute")
        if self.metre is not None:
            checks.choice("beat.metre", self.metre, METRES, or_auto=True)
        checks.number("beat.offset", self.offset, -0.5, 0.5, " s")

    @property
    def beats_per_bar(self) -> int | None:
        """The metre's; None if it is to be found."""
        return None if self.metre is None else int(self.metre[0])


@dataclass(frozen=True, slots=True)
class AccompanySettings:
    """Section ``accompany``: how mode accompany plays."""

    ahead: float = 0.0
    """Seconds that notes are sent before their beat: what synth, interface and air take."""
    song_later: float = 0.0
    """Seconds that the song is heard later than it comes in; a monitor needs some."""
    seed: int = 0
    """Of its choices: the same sound and seed give the same notes."""
    hears_itself: str = "auto"
    """on: what it plays is in the input too, and is taken out; off; auto: where that is a device,
    such as a microphone."""

    def __post_init__(self) -> None:
        checks.number("accompany.ahead", self.ahead, 0.0, 1.0, " s")
        checks.number("accompany.song_later", self.song_later, 0.0, 2.0, " s")
        checks.integer("accompany.seed", self.seed, 0, 2**31 - 1)
        checks.choice("accompany.hears_itself", self.hears_itself, HEARS_ITSELF)

    @property
    def latency(self) -> float:
        """Seconds from a beat in the input to its notes."""
        return self.song_later - self.ahead


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """All sections."""

    audio: AudioSettings = field(default_factory=AudioSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    decoder: DecoderSettings = field(default_factory=DecoderSettings)
    play: PlaySettings = field(default_factory=PlaySettings)
    midi: MidiSettings = field(default_factory=MidiSettings)
    time: TimeSettings = field(default_factory=TimeSettings)
    gate: GateSettings = field(default_factory=GateSettings)
    beat: BeatSettings = field(default_factory=BeatSettings)
    accompany: AccompanySettings = field(default_factory=AccompanySettings)

    def __post_init__(self) -> None:
        if self.play.mode == "accompany" and self.play.parts == "melody":
            raise ConfigError(
                "play.parts = melody leaves nothing to play where play.mode = accompany: take full"
                " or accompaniment"
            )

    @property
    def is_accompanying(self) -> bool:
        """Whether an accompaniment alone is played."""
        return self.play.mode == "accompany"
