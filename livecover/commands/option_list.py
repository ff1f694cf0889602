"""Every option of the command, by what it sets: its ``dest`` is a ``section.key``.

Not here: how they are read (``livecover.commands.options``) and the defaults
(``livecover.settings.sections``).
"""

import argparse

from engine.core.settings import PARTS_PLAYED, PEDALS
from engine.system.paths import given_path
from livecover.settings.sections import AUTO, LOG_LEVELS, Settings


class _Record(argparse.Action):
    """Takes a folder, and says that a take begins at the start."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, values)
        setattr(namespace, "record.at_start", True)


def _seconds(text: str) -> float | None:
    """Return seconds from ``0.25``, ``250ms`` or ``auto``.

    >>> _seconds("0.25"), _seconds("250 ms"), _seconds("auto")
    (0.25, 0.25, None)
    """
    if text == AUTO:
        return None
    is_ms = text.endswith("ms")
    number = float(text.removesuffix("ms"))
    return number / 1000 if is_ms else number


def _number_or_text(text: str) -> str | float:
    """Return the number in ``text``, else the text, which names a style or a curve."""
    try:
        return float(text)
    except ValueError:
        return text


def _channel(text: str) -> int | None:
    """Return the channel in ``text``, None for ``auto``."""
    return None if text == AUTO else int(text)


def _hertz(text: str) -> float | None:
    """Return hertz, None for ``auto``."""
    return None if text == AUTO else float(text)


# As argparse says it: invalid time value: 'soon'.
_seconds.__name__, _channel.__name__, _hertz.__name__ = "time", "channel", "tuning"


def _add_switch(group: argparse._ArgumentGroup, option: str, dest: str, text: str) -> None:
    """Add an option that turns a setting on, and its ``--no-`` that turns it off."""
    group.add_argument(option, dest=dest, action=argparse.BooleanOptionalAction, help=text)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options; a setting's ``dest`` is its ``section.key``, absent where not given."""
    defaults = Settings()
    what = parser.add_argument_group("what is heard, and where it goes")
    what.add_argument(
        "--input",
        dest="audio.input",
        metavar="WHAT",
        help="loopback (what this computer plays), mic, a device's name or index, or an audio file:"
        f" wav, flac, ogg, mp3 (default: {defaults.audio.input})",
    )
    what.add_argument(
        "--midi-out",
        dest="midi.midi_out",
        metavar="WHERE",
        action="append",
        help="a MIDI port or a .mid file; give it again for more. A name that no hardware port has"
        f" opens a virtual port of that name (default: {', '.join(defaults.midi.midi_out)})",
    )
    play = parser.add_argument_group("how it is played")
    play.add_argument(
        "--style",
        dest="model.style",
        metavar="STYLE",
        type=_number_or_text,
        help="calm, balanced, intense, a number from 0 (calm) to 1 (intense), or from:FILE.mid, as"
        f" that piano part is played (default: {defaults.model.style})",
    )
    play.add_argument(
        "--tuning",
        dest="model.tuning",
        metavar="HZ",
        type=_hertz,
        help="hertz that A has in the song, 392 to 494, or auto: it is heard (default: auto)",
    )
    play.add_argument(
        "--density",
        dest="decoder.density",
        metavar="X",
        type=float,
        help="notes played for each that the style asks for: 0.5 is half of them, 2 is twice"
        f" (default: {defaults.decoder.density:g})",
    )
    play.add_argument(
        "--polyphony",
        dest="decoder.polyphony",
        metavar="N",
        type=int,
        help=f"notes that may sound at once (default: {defaults.decoder.polyphony})",
    )
    play.add_argument(
        "--parts",
        dest="play.parts",
        choices=PARTS_PLAYED,
        help="full, accompaniment (the melody is left to a singer or soloist) or melody"
        f" (default: {defaults.play.parts})",
    )
    _add_switch(play, "--hands", "play.hands", "only what two hands can play")
    play.add_argument(
        "--hand-span",
        dest="play.hand_span",
        metavar="N",
        type=int,
        help=f"semitones that one hand holds (default: {defaults.play.hand_span})",
    )
    play.add_argument(
        "--pedal",
        dest="play.pedal",
        choices=PEDALS,
        help=f"the sustain pedal: off, or as the harmony changes (default: {defaults.play.pedal})",
    )
    _add_switch(play, "--mute", "play.mute", "play nothing until it is unmuted")
    _add_switch(play, "--hold", "play.hold", "keep the sustain pedal down")
    play.add_argument(
        "--latency",
        dest="time.latency",
        metavar="TIME",
        type=_seconds,
        help="from a note in the song to its MIDI note: seconds, 300ms, or auto, the least possible"
        " (default: auto)",
    )
    play.add_argument(
        "--channel", dest="midi.channel", metavar="N", type=int, help="1 to 16 (default: 1)"
    )
    play.add_argument(
        "--melody-channel",
        dest="midi.melody_channel",
        metavar="N",
        type=_channel,
        help="the melody's own channel, or auto (default: auto, the same)",
    )
    play.add_argument(
        "--left-channel",
        dest="midi.left_channel",
        metavar="N",
        type=_channel,
        help="the left hand's own channel, with --hands, or auto (default: auto, the same)",
    )
    play.add_argument(
        "--octave",
        dest="midi.octave",
        metavar="N",
        type=int,
        help="octaves up, or down if negative (default: 0)",
    )
    play.add_argument(
        "--transpose",
        dest="midi.transpose",
        metavar="N",
        type=int,
        help="semitones up, or down if negative (default: 0)",
    )
    play.add_argument(
        "--velocity-curve",
        dest="midi.velocity_curve",
        metavar="CURVE",
        type=_number_or_text,
        help="linear, soft, hard, fixed, or a number: above 1 softer, below harder"
        f" (default: {defaults.midi.velocity_curve})",
    )
    _add_switch(
        play,
        "--arranger",
        "arranger.enabled",
        "write a whole file bar by bar, quantized, hands apart: --midi-out FILE.mid, or"
        " FILE.musicxml for a score",
    )
    here = parser.add_argument_group("what is kept, and what sounds here")
    here.add_argument(
        "--record",
        dest="record.folder",
        metavar="FOLDER",
        action=_Record,
        help="record a take into this folder: notes, song and a few words about both",
    )
    here.add_argument(
        "--strength",
        dest="record.strength",
        metavar="X",
        type=float,
        help="quantize: how far a note moves to the grid, 0 to 1"
        f" (default: {defaults.record.strength:g})",
    )
    here.add_argument(
        "--steps",
        dest="record.steps",
        metavar="N",
        type=int,
        help=f"quantize: steps of the grid in a beat (default: {defaults.record.steps})",
    )
    here.add_argument(
        "--monitor",
        dest="monitor.device",
        metavar="DEVICE",
        help="play the song too, in time with its notes: default, or an output's name or index"
        f" (default: {defaults.monitor.device})",
    )
    _add_switch(here, "--piano", "piano.enabled", "play the notes here, without a DAW")
    here.add_argument(
        "--soundfont",
        dest="piano.soundfont",
        metavar="FILE",
        help="the piano's .sf2 or .sf3 file (default: the one that comes with livecover)",
    )
    panel = parser.add_argument_group("the panel, a page in the browser")
    _add_switch(panel, "--panel", "panel.enabled", "have the panel while livecover plays")
    panel.add_argument(
        "--panel-port",
        dest="panel.port",
        metavar="N",
        type=int,
        help=f"TCP port, 0 for any that is free (default: {defaults.panel.port})",
    )
    panel.add_argument(
        "--panel-host",
        dest="panel.host",
        metavar="ADDRESS",
        help="address to serve it at; another than the default lets the network in"
        f" (default: {defaults.panel.host})",
    )
    _add_switch(
        panel, "--open-browser", "panel.open_browser", "open it, where a terminal is (default)"
    )
    run = parser.add_argument_group("what it runs on")
    _add_switch(
        panel, "--tui", "tui.enabled", "see notes and meters, and play by keys, in the terminal"
    )
    run.add_argument(
        "--control",
        dest="control.port",
        metavar="PORT",
        help="the MIDI port that hardware controllers are heard at, or off"
        f" (default: {defaults.control.port})",
    )
    run.add_argument(
        "--arranger-model",
        dest="arranger.model",
        metavar="FOLDER",
        help=f"an arranger's name or folder (default: {defaults.arranger.model})",
    )
    run.add_argument(
        "--metre",
        dest="arranger.metre",
        metavar="METRE",
        help="of a score and of quantized takes: 4/4, 3/4, or auto, which hears it"
        f" (default: {defaults.arranger.metre})",
    )
    run.add_argument(
        "--model",
        dest="model.model",
        metavar="MODEL",
        help=f"a model's name or .onnx file (default: {defaults.model.model})",
    )
    run.add_argument(
        "--provider",
        dest="model.provider",
        metavar="WHERE",
        help=f"cpu, cuda, coreml, directml or auto (default: {defaults.model.provider})",
    )
    run.add_argument(
        "--threads",
        dest="model.threads",
        metavar="N",
        type=int,
        help=f"threads of the model (default: {defaults.model.threads})",
    )
    run.add_argument(
        "--config",
        metavar="FILE",
        type=given_path,
        help="the file of settings to read, instead of livecover.toml here or your own config.toml",
    )
    run.add_argument(
        "--log-level",
        dest="log.level",
        choices=LOG_LEVELS,
        help=f"how much is told (default: {defaults.log.level})",
    )
