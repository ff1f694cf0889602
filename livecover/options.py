"""The command's options and its help: text in, settings by ``section.key`` out.

Not here: what the options do (``livecover.cli``) and their defaults (``livecover.settings``).
"""

import argparse
import difflib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from engine.audio import is_file_input
from engine.errors import ConfigError
from engine.settings import PARTS_PLAYED, PEDALS
from livecover import __version__
from livecover.settings import AUTO, LOG_LEVELS, Settings

COMMANDS = ("play", "panel", "learn", "quantize", "devices", "doctor")
WITH_WORDS = {
    "learn": "a setting, such as livecover learn model.style",
    "quantize": "takes, such as livecover quantize FOLDER",
}
"""Commands that are followed by words, and which."""
_COMMANDS_ARE = f"commands are {', '.join(COMMANDS)}, one at a time"

HELP = """\
A song plays, and livecover plays it on the piano, live: MIDI notes in time
with the music, always the same moment behind it.

  --input WHAT      loopback (what this computer plays: the default), mic,
                    a device, or an audio file
  --midi-out WHERE  a MIDI port (default: LiveCover) or a .mid file; or several
  --style STYLE     calm, balanced, intense, a number from 0 to 1, from:FILE.mid
  --parts PARTS     full, accompaniment (the melody is yours), melody
  --hands           only what two hands can play
  --piano           the notes sound here too, without a DAW
  --monitor OUTPUT  the song sounds there, in time with the piano
  --record FOLDER   keep takes: the notes and the song
  --help-all        every option; each is a line of config.toml as well

examples:
  livecover                                 what plays, to the port LiveCover
  livecover --input mic --style calm        what the microphone hears, calmly
  livecover --input song.mp3 --midi-out cover.mid

livecover panel is a page in the browser to play it with. livecover devices
lists what there is, livecover doctor checks that all works.
Ctrl-C stops: sounding notes end, and what was recorded is saved.
"""
"""What ``--help`` shows: a screen of 24 lines."""


class Request(NamedTuple):
    """What was typed."""

    command: str  # one of COMMANDS
    words: tuple[str, ...]  # that follow it
    config: Path | None  # the file of settings
    overrides: dict[str, object]  # by section.key


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are ConfigErrors instead of an exit."""

    def error(self, message: str) -> NoReturn:
        """Raise ConfigError with ``message``."""
        raise ConfigError(f"{message} (see 'livecover --help')")


class _Show(argparse.Action):
    """Prints a text and ends well."""

    def __init__(self, *, text: Callable[[], str], **rest: Any) -> None:
        super().__init__(nargs=0, **rest)
        self._text = text

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(self._text(), end="")
        parser.exit()


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


# As argparse says it: invalid time value: 'soon'.
_seconds.__name__, _channel.__name__ = "time", "channel"


def _add_switch(group: argparse._ArgumentGroup, option: str, dest: str, text: str) -> None:
    """Add an option that turns a setting on, and its ``--no-`` that turns it off."""
    group.add_argument(option, dest=dest, action=argparse.BooleanOptionalAction, help=text)


def _add_options(parser: argparse.ArgumentParser) -> None:
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
    run.add_argument("--config", metavar="FILE", type=Path, help="the config.toml to read")
    run.add_argument(
        "--log-level",
        dest="log.level",
        choices=LOG_LEVELS,
        help=f"how much is told (default: {defaults.log.level})",
    )


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command."""
    parser = Parser(
        prog="livecover",
        usage="%(prog)s [panel | learn SETTING | quantize TAKES | devices | doctor] [options]",
        description="Listens to a song and plays it on the piano, live: MIDI notes in time with the"
        " music,\nalways the same moment behind it.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
        add_help=False,
    )
    parser.add_argument("-h", "--help", action=_Show, text=lambda: HELP, help="the short help")
    parser.add_argument(
        "--help-all", action=_Show, text=parser.format_help, help="every option: this text"
    )
    parser.add_argument(
        "command",
        nargs="?",
        default=COMMANDS[0],
        metavar="command",
        help="play, which needs no word; panel: a page in the browser to play with, idle at first;"
        " learn SETTING: let the MIDI controller that moves next drive a setting, such as"
        " model.style, or record, play or panic; quantize TAKES: move a take's notes"
        " nearer to the song's beat, and write its tempo; devices: list inputs, ports, models and"
        " providers, and what to type for each; doctor: check that all works here, and say what to"
        " do where not",
    )
    parser.add_argument("--version", action="version", version=f"livecover {__version__}")
    _add_options(parser)
    return parser


def parse(arguments: Sequence[str] | None) -> Request:
    """Return what is asked for.

    Parameters
    ----------
    arguments
        As typed, without the program's name; None takes ``sys.argv``.

    Raises
    ------
    ConfigError
        What was typed is not understood.
    """
    parser = make_parser()
    namespace, unknown = parser.parse_known_intermixed_args(arguments)
    for word in unknown:
        if word.startswith("-"):
            option = word.partition("=")[0]
            known = re.findall(r"(?<!\w)--[\w-]+", parser.format_help())
            near = difflib.get_close_matches(option, known, n=1)
            parser.error(f"unknown option {option}{f'; did you mean {near[0]}?' if near else ''}")
    given = vars(namespace)
    command = given.pop("command")
    config = given.pop("config", None)
    if command in WITH_WORDS:
        if not unknown:
            parser.error(f"{command} needs {WITH_WORDS[command]}")
        return Request(command, tuple(unknown), config, given)
    strange = [word for word in (command, *unknown) if word not in COMMANDS] or unknown
    if strange:
        is_song = is_file_input(strange[0])
        hint = f"a song is given as --input {strange[0]}" if is_song else _COMMANDS_ARE
        parser.error(f"unknown command {strange[0]!r}; {hint}")
    return Request(command, (), config, given)
