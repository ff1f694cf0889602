"""Sections ``record``, ``monitor``, ``piano`` and ``sync``."""

from dataclasses import dataclass
from pathlib import Path

import platformdirs

from engine.core import checks
from engine.core.errors import ConfigError
from engine.system.paths import given_path, user_folder

OFF, DEFAULT = "off", "default"


@dataclass(frozen=True, slots=True)
class RecordSettings:
    """Section ``record``: takes."""

    at_start: bool = False
    """True: a take begins with the first sound."""
    folder: str | None = None
    """Folder of takes; None is LiveCover in the music folder, else in the working folder."""
    audio: bool = True
    """Whether to record the input too, as FLAC."""
    strength: float = 0.5
    """How far ``livecover quantize`` moves a take's notes to the grid, 0 to 1."""
    steps: int = 4
    """Steps of that grid in a beat."""

    def __post_init__(self) -> None:
        checks.number("record.strength", self.strength, 0.0, 1.0)
        checks.integer("record.steps", self.steps, 1, 12)
        checks.flag("record.at_start", self.at_start)
        if self.folder is not None:
            checks.text("record.folder", self.folder)
        checks.flag("record.audio", self.audio)

    @property
    def path(self) -> Path:
        """The folder."""
        if self.folder is None:
            return (user_folder(platformdirs.user_music_path) or Path()) / "LiveCover"
        return given_path(self.folder)


@dataclass(frozen=True, slots=True)
class MonitorSettings:
    """Section ``monitor``: plays the song, delayed by the latency."""

    device: str = OFF
    """off, default, or an output's name or index."""
    gain_db: float = 0.0
    """Volume in dB."""
    mute: bool = False
    """True: nothing of it is heard."""

    def __post_init__(self) -> None:
        checks.text("monitor.device", self.device)
        checks.flag("monitor.mute", self.mute)
        checks.number("monitor.gain_db", self.gain_db, -60.0, 12.0, " dB")

    @property
    def is_on(self) -> bool:
        """Whether the monitor is on."""
        return self.device != OFF


@dataclass(frozen=True, slots=True)
class PianoSettings:
    """Section ``piano``: plays the notes, without a DAW."""

    enabled: bool = False
    """True: livecover plays the notes itself, too."""
    device: str = DEFAULT
    """The output if the monitor is off; else the piano uses the monitor's."""
    soundfont: str | None = None
    """The path of a SoundFont; None is the one that comes with livecover."""
    plugin: str | None = None
    """The path of a VST3 or Audio Unit instrument to use instead."""
    gain_db: float = 0.0
    """Volume in dB."""
    mute: bool = False
    """True: nothing of it is heard."""

    def __post_init__(self) -> None:
        checks.flag("piano.enabled", self.enabled)
        checks.flag("piano.mute", self.mute)
        checks.text("piano.device", self.device)
        for name in ("soundfont", "plugin"):
            if getattr(self, name) is not None:
                checks.text(f"piano.{name}", getattr(self, name))
        checks.number("piano.gain_db", self.gain_db, -60.0, 12.0, " dB")
        if self.device == OFF:
            raise ConfigError(
                "piano.device must be default, or an output's name or index, not 'off';"
                " piano.enabled turns the piano off"
            )


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """Section ``sync``: the song's beat for other programs to follow."""

    midi_out: str = OFF
    """The port that gets MIDI clock, that of the notes or another; off."""
    offset: float = 0.0
    """Seconds by which ticks are later than the notes; less than 0: earlier."""
    link: bool = False
    """True: Ableton Link's session has the beat, too."""
    link_offset: float = 0.0
    """Seconds by which the session's beat is later than the notes; less than 0: earlier."""

    def __post_init__(self) -> None:
        checks.text("sync.midi_out", self.midi_out)
        checks.number("sync.offset", self.offset, -0.5, 0.5, " s")
        checks.flag("sync.link", self.link)
        checks.number("sync.link_offset", self.link_offset, -0.5, 0.5, " s")

    @property
    def is_on(self) -> bool:
        """Whether MIDI clock is sent."""
        return self.midi_out != OFF
