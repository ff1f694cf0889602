"""Runs what a page asks for on the instrument, one command after the other, on a thread.

Not here: parsing (``livecover.panel.request_parser``), and who gets the answer
(``livecover.panel.web.sessions``).
"""

import dataclasses
import hashlib
import io
import time
from collections.abc import Callable
from pathlib import Path

from engine.core.errors import ConfigError
from engine.core.song_place import SongCommand
from engine.cover.style import parse_style
from livecover.instrument.instrument import Instrument
from livecover.instrument.together import toggle_together
from livecover.panel.choices import AllowList, find_choices
from livecover.panel.mapping_messages import lines_to_unmap
from livecover.panel.measurement import Measurement
from livecover.panel.messages import encode_one
from livecover.panel.requests import Change, CorrectBeat, Do, Save, StyleFile
from livecover.panel.snapshots import Snapshots
from livecover.panel.status_message import status_message
from livecover.takes.listing import KINDS, delete_take, list_takes, reveal

Message = dict[str, object]
AGO_S = 1.0
"""Seconds ago that a page's tap may be: what is older is not its true time."""

Command = Change | Do | CorrectBeat | Save | StyleFile | SongCommand


class CommandRunner:
    """Runs the commands of pages on an instrument.

    Parameters
    ----------
    instrument
        What is controlled.
    on_quit
        Called where a page asks the program to end; None where none may.
    """

    def __init__(self, instrument: Instrument, on_quit: Callable[[], object] | None = None) -> None:
        self._instrument = instrument
        self._on_quit = on_quit
        self.snapshots = Snapshots(instrument)
        self.measurement = Measurement(instrument)
        self.allowed = AllowList()
        self._before: dict[str, object] | None = None  # song and piano were together
        self.allowed.add_in_use(instrument.settings)

    @property
    def can_quit(self) -> bool:
        """Whether a page may end the program."""
        return self._on_quit is not None

    def run(self, command: Command) -> Message | None:
        """Run a command; return the answer for the page that asked, if there is one.

        May take seconds, where a device or a model is opened.

        Raises
        ------
        LiveCoverError
            It cannot be done, or a page may not do it; nothing has changed.
        """
        match command:
            case Change(values):
                self.allowed.check(values)
                self._instrument.change(values)
            case StyleFile(name, content):
                style = parse_style(name, io.BytesIO(content))
                self._instrument.change({"model.style": tuple(map(float, style))})
            case SongCommand():
                self._instrument.song.command(command)
            case CorrectBeat(correction, at):
                self._correct_beat(correction, at)
            case Do("learn", key):
                controllers = self._instrument.controllers
                controllers.learn(None if controllers.learning == key else key)
            case Do("forget", key):
                lines = lines_to_unmap(self._instrument.settings, key)
                self._instrument.change({"control.map": lines})
            case Do("snapshot", name):
                self.snapshots.recall(name)
            case Do("keep_scene" | "recall_scene" | "delete_scene" as action, name):
                return self._do_scene(action, name)
            case Do("scene_programs", target):
                self._instrument.change({"control.map": {"program": target}})
                return self.scenes()
            case Do("delete_take", name):
                delete_take(self._takes, name)
                return self.takes()
            case Save(shown):
                return self._save(shown)
            case Do(action):
                return self._do(action)
        return None

    def allow_song(self, path: Path) -> None:
        """Let a page choose a song that is kept until the program ends, and so is never saved."""
        self.allowed.add("audio.input", str(path))
        self._instrument.user_changes.add_temporary("audio.input", str(path))

    def status(self) -> Message:
        """Return the ``status`` message. Any thread."""
        message = status_message(self._instrument, time.perf_counter())
        return {**message, "measuring": self.measurement.is_running}

    def refresh(self) -> Message:
        """Look for inputs, ports and models, and return them. May take seconds; never raises."""
        self.allowed.choices = find_choices()
        return {"type": "choices", "choices": self.allowed.choices.as_message()}

    @property
    def _takes(self) -> Path:
        return self._instrument.settings.record.path

    def takes(self) -> Message:
        """Return the list of takes."""
        listed = [
            {
                "name": take.name,
                "seconds": round(take.seconds, 1),
                "n_notes": take.n_notes,
                "is_whole": take.is_whole,
                "files": [kind for kind in KINDS if take.file(kind) is not None],
            }
            for take in list_takes(self._takes)
        ]
        return {"type": "takes", "folder": str(self._takes), "takes": listed}

    def scenes(self) -> Message:
        """Return the list of scenes, and what program changes recall. Raises ConfigError."""
        program = self._instrument.settings.control.map.get("program", "")
        names = list(self._instrument.scenes.names())
        return {"type": "scenes", "names": names, "programs": program}

    def _do_scene(self, action: str, name: str) -> Message:
        scenes = self._instrument.scenes
        if action == "keep_scene":
            scenes.keep(name)
        elif action == "delete_scene":
            scenes.delete(name)
        else:
            changes = scenes.changes(name)
            if changes:
                self._instrument.change(changes)
        return self.scenes()

    def settings(self) -> dict[str, object]:
        """Return every setting, section by section, as plain values. Any thread."""
        settings = self._instrument.settings
        self.allowed.add_in_use(settings)
        return dataclasses.asdict(settings)

    def _correct_beat(self, correction: str, at: float | None) -> None:
        """Correct the beat at a time that a page tells, if that is just now."""
        now = time.perf_counter()
        is_told = at is not None and now - AGO_S <= at <= now
        self._instrument.song.correct_beat(correction, at if is_told and at is not None else now)

    def _do(self, action: str) -> Message | None:
        instrument = self._instrument
        match action:
            case "start":
                instrument.start()
            case "stop":
                self.measurement.cancel()
                instrument.stop()
            case "panic":
                self.measurement.cancel()
                instrument.panic()
            case "record":
                instrument.record(True)
            case "end_record":
                instrument.record(False)
            case "together":
                self._before = toggle_together(instrument, self._before)
            case "calibrate":
                return self.measurement.run()
            case "cancel_calibration":
                self.measurement.cancel()
            case "quit":
                self._quit()
            case "copy_snapshot":
                self.snapshots.copy()
            case "unsaved":
                return self._unsaved()
            case "refresh":
                return self.refresh()
            case "scenes":
                return self.scenes()
            case "takes":
                return self.takes()
            case "reveal_takes":
                reveal(self._takes)
            case _:
                raise ConfigError(f"unknown action {action!r}")
        return None

    def _quit(self) -> None:
        """End the program. Raises ConfigError where whoever started it is to do that."""
        if self._on_quit is None:
            raise ConfigError("livecover was started in a terminal: end it there, with Ctrl-C")
        self._on_quit()

    def _unsaved(self) -> Message:
        """Return what saving would write now."""
        instrument = self._instrument
        path, lines = instrument.unsaved()
        song = instrument.settings.audio.input
        message: Message = {
            "type": "unsaved",
            "path": str(path),
            "lines": [*map(list, lines)],
            "has_song": instrument.user_changes.is_temporary("audio.input", song),
        }
        return {**message, "id": hashlib.sha256(encode_one(message).encode()).hexdigest()}

    def _save(self, shown: str) -> Message:
        """Save, if that writes what was shown. Raises ConfigError if it would write other lines."""
        if self._unsaved()["id"] != shown:
            raise ConfigError("nothing was saved: settings have changed since they were shown")
        return {"type": "saved", "path": str(self._instrument.save())}
