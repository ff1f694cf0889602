"""Parses the command line into a command and settings by ``section.key``; the help texts.

Not here: the commands (``livecover.cli``), defaults (``livecover.settings.sections``).
"""

import argparse
import difflib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from engine.audio.opening import is_file_input
from engine.core.errors import ConfigError
from livecover import __version__
from livecover.options import playing, program
from livecover.settings.sections import Settings

COMMANDS = (
    *("play", "together", "panel", "app", "learn", "calibrate"),
    *("quantize", "score", "devices", "doctor", "config"),
)
WITH_WORDS = {
    "learn": "a setting, such as livecover learn model.style",
    "quantize": "takes, such as livecover quantize FOLDER",
    "score": "takes, such as livecover score FOLDER",
    "config": "path, show or check, such as livecover config check",
}
"""Commands that need arguments, and which."""
_COMMANDS_ARE = f"commands are {', '.join(COMMANDS)}, one at a time"

HELP = """\
livecover listens to a song and plays it on the piano, live. It sends MIDI
notes in time with the music, always by the same latency later.

  --input WHAT      loopback (what this computer plays: the default), mic,
                    a device, or an audio file
  --midi-out WHERE  a MIDI port (default: LiveCover) or a .mid file; or several
  --style STYLE     calm, balanced, intense, a number from 0 to 1, from:FILE.mid
  --parts PARTS     full, accompaniment (you play the melody), melody
  --hands           only what two hands can play
  --piano           play the notes with its own piano, without a DAW
  --monitor OUTPUT  play the song there, in time with the piano
  --record FOLDER   record takes: the notes and the song
  --help-all        all options; each is also a line in a settings file

examples:
  livecover                                 what plays here, to port LiveCover
  livecover together                        song and piano, here, in time
  livecover --input song.mp3 --midi-out cover.mid

livecover panel opens a page in the browser with all controls. livecover
devices lists inputs and ports, livecover doctor checks your system.
Ctrl-C stops: notes end, and what was recorded is saved.
"""
"""What ``--help`` shows: a screen of 24 lines."""


class Request(NamedTuple):
    """What was typed."""

    command: str  # one of COMMANDS
    words: tuple[str, ...]  # its arguments
    config: Path | None  # the file of settings
    overrides: dict[str, object]  # by section.key
    scene: str | None = None  # to begin with
    is_address_new: bool = False  # whether the panel gets another address


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are ConfigErrors instead of an exit."""

    def error(self, message: str) -> NoReturn:
        """Raise ConfigError with ``message``."""
        raise ConfigError(f"{message} (see 'livecover --help')")


class _Show(argparse.Action):
    """Prints a text and exits with code 0."""

    def __init__(self, *, text: Callable[[], str], **rest: Any) -> None:
        super().__init__(nargs=0, **rest)
        self._text = text

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(self._text(), end="")
        parser.exit()


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command."""
    parser = Parser(
        prog="livecover",
        usage="%(prog)s [COMMAND] [options]",
        description="Listens to a song and plays it on the piano, live: MIDI notes in time with the"
        " music,\nalways by the same latency later.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
        add_help=False,
    )
    parser.add_argument("-h", "--help", action=_Show, text=lambda: HELP, help="the short help")
    parser.add_argument(
        "--help-all", action=_Show, text=parser.format_help, help="all options: this text"
    )
    parser.add_argument(
        "command",
        nargs="?",
        default=COMMANDS[0],
        metavar="COMMAND",
        help="none: play; together: play song and piano here, in time, while the song's program is"
        " silent; panel: open the page in the browser, and start from there; app: the same for an"
        " icon, without a terminal, and Quit is on the page; learn SETTING: map the"
        " next MIDI controller that moves to a setting, such as model.style, or to record, play or"
        " panic; calibrate: measure how late the DAW's piano, or with --monitor an output, is"
        " heard; quantize TAKES: move the notes of takes towards the song's beat, and write"
        " its tempo; score TAKES: write takes as scores, NAME.musicxml; config path, show or check:"
        " the settings file, all settings, or whether the file is in order; devices: list inputs,"
        " outputs, ports, controllers, models and providers, and what to type for each; doctor:"
        " check this system, and say what to do about each fault",
    )
    parser.add_argument("--version", action="version", version=f"livecover {__version__}")
    add_options(parser)
    return parser


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add all options; one that is not given leaves its ``dest`` out."""
    defaults = Settings()
    playing.add_source_and_sink(parser.add_argument_group("input and output"), defaults)
    playing.add_playing(parser.add_argument_group("how it plays"), defaults)
    playing.add_beat(parser.add_argument_group("the song's beat"), defaults)
    playing.add_accompaniment(parser.add_argument_group("with --mode accompany"), defaults)
    playing.add_midi(parser.add_argument_group("MIDI notes"), defaults)
    program.add_calibration(parser.add_argument_group("how late it is heard"), defaults)
    program.add_sync(parser.add_argument_group("the beat for others"), defaults)
    program.add_recording(parser.add_argument_group("recording and playback"), defaults)
    program.add_scores(parser.add_argument_group("scores"), defaults)
    program.add_interfaces(parser.add_argument_group("panel, terminal and controllers"), defaults)
    program.add_scene(parser.add_argument_group("scenes"))
    program.add_running(parser.add_argument_group("model and program"), defaults)


def parse(arguments: Sequence[str] | None) -> Request:
    """Return the command, its arguments and its settings.

    Parameters
    ----------
    arguments
        As typed, without the program's name; None takes ``sys.argv``.

    Raises
    ------
    ConfigError
        An unknown command or option, or a wrong value.
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
    rest = given, given.pop("scene", None), given.pop("renew_address", False)
    if command in WITH_WORDS:
        if not unknown:
            parser.error(f"{command} needs {WITH_WORDS[command]}")
        return Request(command, tuple(unknown), config, *rest)
    strange = [word for word in (command, *unknown) if word not in COMMANDS] or unknown
    if strange:
        is_song = is_file_input(strange[0])
        hint = f"a song is given as --input {strange[0]}" if is_song else _COMMANDS_ARE
        parser.error(f"unknown command {strange[0]!r}; {hint}")
    return Request(command, (), config, *rest)
