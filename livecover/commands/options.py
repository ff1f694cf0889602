"""The command's options and its help: text in, settings by ``section.key`` out.

Not here: what the options do (``livecover.cli``) and their defaults
(``livecover.settings.sections``).
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
from livecover.commands.option_list import add_options

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
  --help-all        every option; each is a setting of a file as well

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
    add_options(parser)
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
