"""The MIDI implementation chart of docs/midi-implementation.md, from what the code does.

Columns and rows as in MIDI 1.0's form (RP-023 in short). A test compares the page with it.
"""

from engine.core.settings import MidiSettings
from engine.midi.messages import (
    ALL_NOTES_OFF,
    ALL_SOUND_OFF,
    RESET_ALL_CONTROLLERS,
    SUSTAIN,
    panic_messages,
)
from engine.sync.clock_writer import CONTINUE, SONG_POSITION, START, STOP, TICKS
from livecover.mapping.settings import ControlSettings
from livecover.mapping.targets import COMMANDS, PROGRAMS, SETTINGS, STATES

HEAD = """\
# MIDI implementation chart

What livecover sends (to `--midi-out`, and MIDI clock to `--sync-out`) and what it recognises (at
`--control`). Program and controller numbers count from 0.

| function | sent | recognised | remarks |
|---|---|---|---|
"""


def chart() -> str:
    """Return the page."""
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in _rows())


def _rows() -> list[tuple[str, str, str, str]]:
    midi, control = MidiSettings(), ControlSettings()
    defaults = ", ".join(f"`{source}` {target}" for source, target in control.map.items())
    silenced = sorted({number for _, number, _ in panic_messages()})
    return [
        (
            "basic channel",
            f"{midi.channel}; 1 to 16",
            "all; 1 to 16",
            "`midi.channel`, `melody_channel`, `left_channel`; `control.channel`",
        ),
        ("mode", "–", "–", "no mode messages but those below"),
        (
            "note number",
            "0 to 127",
            "0 to 127",
            "sent: the cover, transposed, between `midi.lowest_key` and `midi.highest_key`;"
            " recognised: as buttons that `control.map` names",
        ),
        (
            "velocity, note on",
            "1 to 127",
            "above 0 is a press",
            "`midi.velocity_curve`, `midi.lowest_velocity`, `midi.highest_velocity`",
        ),
        ("velocity, note off", "0 (status 8n)", "any", "also note on with velocity 0"),
        ("aftertouch, pitch bend", "no", "no", ""),
        (
            f"controller {SUSTAIN}, sustain",
            "0 and 127",
            "as mapped",
            "`play.pedal`, `play.hold`",
        ),
        (
            "controllers 0 to 127",
            "feedback only",
            "as mapped",
            f"by default {defaults}; feedback goes back to the controller",
        ),
        (
            f"controllers {', '.join(map(str, silenced))}",
            "value 0",
            "no",
            f"panic, on all channels; at a stop {SUSTAIN} and {ALL_NOTES_OFF} on those used"
            f" ({ALL_SOUND_OFF} all sound off, {RESET_ALL_CONTROLLERS} reset all controllers)",
        ),
        (
            "bank select, controllers 0 and 32",
            "at the start",
            "as mapped",
            "`midi.bank`, to each channel; again when a port is back, and after a rest",
        ),
        (
            "program change",
            "at the start",
            "0 to 127",
            f"sent: `midi.program`, to each channel; recognised: recalls {' or '.join(PROGRAMS)}",
        ),
        ("system exclusive", "no", "no", ""),
        (
            f"song position (F{SONG_POSITION & 15:X})",
            "before continue",
            "yes",
            "sixteenths",
        ),
        ("song select, tune request", "no", "no", ""),
        (
            "clock (F8)",
            f"{TICKS} a quarter note",
            f"{TICKS} a quarter note",
            "sent while the beat is known; recognised for tempo and [the beat](beat.md)",
        ),
        (
            f"start, continue, stop (F{START & 15:X}, F{CONTINUE & 15:X}, F{STOP & 15:X})",
            "on bar lines; stop when the beat is lost",
            "yes",
            "recognised: begin and end a take, unless `control.transport` is false",
        ),
        ("active sensing, reset", "no", "no", ""),
        (
            "what can be mapped",
            "",
            f"{len(SETTINGS)} settings",
            ", ".join(f"`{name}`" for name in (*SETTINGS, *STATES, *COMMANDS, *PROGRAMS)),
        ),
    ]
