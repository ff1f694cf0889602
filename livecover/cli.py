"""The command ``livecover``: plays live, covers files, lists devices, checks the machine.

Exit codes: 0 done or stopped, 1 doctor found a fault, and those of ``engine.system.command``, which
reports every error. Results go to stdout; the status line, the progress bar and the log to stderr.
"""

import contextlib
import logging
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from engine.audio.loopback.moved_streams import put_back_left
from engine.audio.opening import is_file_input
from engine.core.errors import LiveCoverError
from engine.midi.sinks import is_midi_file
from engine.system.command import end_process, run_command, say
from engine.system.memory import give_large_blocks_back
from engine.system.paths import given_path
from livecover.api import write_cover
from livecover.commands import arranger
from livecover.commands.config import config_lines
from livecover.commands.console import logged, progress_bar
from livecover.commands.devices import describe_devices
from livecover.commands.doctor import run_checks
from livecover.commands.native_output import muted
from livecover.commands.signals import stop_on_signals
from livecover.commands.status import cover_summary
from livecover.control.learning import learn, line_of
from livecover.instrument.calibration import calibrate, describe, lines_of
from livecover.instrument.scenes import Scenes
from livecover.instrument.together import for_together
from livecover.options.parser import Request, parse
from livecover.playing import play, serve_panel
from livecover.settings.file import save_values
from livecover.settings.sections import Settings, with_values
from livecover.settings.source import Loaded, find_source, read_settings

EXIT_FAULT = 1  # doctor found a fault
SWITCH_INTERVAL = 0.0001
"""Most seconds that a thread keeps the GIL while the MIDI thread waits for it."""

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with ``arguments`` (default: as typed) and return its exit code."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    give_large_blocks_back()
    code = run_command("livecover", lambda: _main(arguments))
    if arguments is None:
        end_process("livecover", code)
    return code


def _main(arguments: Sequence[str] | None) -> int:
    """Parse the command line and run the command; return the exit code. Raises LiveCoverError."""
    request = parse(arguments)
    if request.command != "app":
        return _obey(request)
    from livecover.panel.web.desktop import errors_shown  # imported only here, for a quick start

    with errors_shown():
        return _obey(request)


def _obey(request: Request) -> int:
    """Run what was asked for; return the exit code. Raises LiveCoverError."""
    loaded, fault = _load(request)
    settings = with_values(_with_scene(loaded.settings, request.scene), request.overrides)
    if request.command == "together":
        settings = for_together(settings, request.overrides)
    with contextlib.nullcontext() if settings.log.level == "debug" else muted():
        code = _run(request, settings, loaded.notes)
    if fault is not None:
        raise fault
    return code


def _load(request: Request) -> tuple[Loaded, LiveCoverError | None]:
    """Return the file's settings and its error; ``doctor`` and ``devices`` go on without it."""
    try:
        return read_settings(find_source(request.config)), None
    except LiveCoverError as error:
        if request.command not in ("doctor", "devices"):
            raise
        return Loaded(Settings()), error


def _with_scene(settings: Settings, scene: str | None) -> Settings:
    """Return the settings with those of a scene, by its name or its program number."""
    if scene is None:
        return settings
    scenes = Scenes(lambda: settings)
    is_number = scene.isdecimal() and scene not in scenes.names()
    return with_values(settings, scenes.changes(int(scene) if is_number else scene))


def _run(request: Request, settings: Settings, notes: Sequence[str]) -> int:
    """Run one of the commands; return the exit code. Raises LiveCoverError."""
    command, config = request.command, request.config
    console = Console(stderr=True, highlight=False)
    if command == "devices":
        with logged(console, "error"):
            say(*describe_devices())
        return 0
    if command == "config":
        say(*config_lines(request.words, config, settings))
        return 0
    if command == "doctor":
        with logged(console, "error"):
            return _examine(settings)
    with logged(console, settings.log.level), stop_on_signals() as stop:
        for note in (*notes, put_back_left()):
            if note:
                _log.warning("%s", note)
        if command == "learn":
            _learn(request.words[0], settings, config, stop)
        elif command == "calibrate":
            _calibrate(settings, request, stop)
        elif command == "quantize":
            _quantize(request.words, settings)
        elif command == "score":
            _score(request.words, settings)
        elif command in ("panel", "app") or settings.panel.enabled:
            serve_panel(settings, config, console, stop, command, request.is_address_new)
        elif settings.arranger.enabled:
            _arrange(settings, console)
        elif is_for_files(settings):
            _cover(settings, console, stop)
        else:
            play(settings, console, stop)
    return 0


def is_for_files(settings: Settings) -> bool:
    """Return whether a file is converted to files only, without playing it in real time."""
    is_live = settings.record.at_start or settings.piano.enabled or settings.monitor.is_on
    return (
        is_file_input(settings.audio.input)
        and all(is_midi_file(name) for name in settings.midi.midi_out)
        and not (is_live or settings.tui.enabled)
    )


def _examine(settings: Settings) -> int:
    """Print each check of ``doctor``; return the exit code."""
    is_all_well = True
    for check in run_checks(settings):
        is_all_well = is_all_well and check.is_ok
        say(f"{'ok  ' if check.is_ok else 'FAIL'}  {check.name:<8}  {check.text}")
    return 0 if is_all_well else EXIT_FAULT


def _quantize(takes: Sequence[str], settings: Settings) -> None:
    """Quantize takes; print a line about each."""
    from livecover.commands.quantize import run  # imported only here, for a quick start

    record, metre = settings.record, settings.beat.beats_per_bar
    paths = [given_path(take) for take in takes]
    with stop_on_signals(is_at_once=True):
        for line in run(paths, record.strength, record.steps, metre):
            say(line)


def _score(takes: Sequence[str], settings: Settings) -> None:
    """Write takes as scores; print a line about each."""
    from livecover.commands.take_score import run  # imported only here, for a quick start

    with stop_on_signals(is_at_once=True):
        for line in run([given_path(take) for take in takes], settings.beat.beats_per_bar):
            say(line)


def _learn(name: str, settings: Settings, config: Path | None, stop: threading.Event) -> None:
    """Map the next controller that moves to a setting, and save the mapping."""
    lines = learn(settings, name, stop, say)
    if lines is not None:
        say(f"{save_values({'control.map': lines}, config)}: {line_of(lines, name)}")


def _calibrate(settings: Settings, request: Request, stop: threading.Event) -> None:
    """Measure the way out, and save it."""
    is_port = True if "midi.midi_out" in request.overrides else None
    name, found = calibrate(settings, stop, say, is_port)
    lines = lines_of(name, found)
    say(describe(name, found))
    say(f"{save_values({'calibration.outputs': lines}, request.config)}: {dict(lines)}")


def _cover(settings: Settings, console: Console, stop: threading.Event) -> None:
    """Cover a file into files, with a progress bar."""
    with progress_bar(console, "covering") as on_progress:
        cover = write_cover(
            settings.audio.input, settings.midi.midi_out, settings, on_progress, stop.is_set
        )
    say(*cover_summary(cover, settings))


def _arrange(settings: Settings, console: Console) -> None:
    """Arrange a file into files, with a progress bar."""
    with stop_on_signals(is_at_once=True), progress_bar(console, "arranging") as on_progress:
        arranged = arranger.arrange_file(settings, on_progress)
    if (line := arranger.no_music_text(arranged, settings)) is not None:
        console.print(line, markup=False, soft_wrap=True)
    else:
        say(*arranger.summary(arranged, settings))
