"""Scenes: all settings of a sound under a name, kept by the program until they are deleted.

Not here: their file (``livecover.settings.scene_file``), the panel's A and B
(``livecover.panel.snapshots``).
"""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from engine.core.errors import ConfigError
from livecover.settings.scene_file import read_scenes, scene_path, write_scenes
from livecover.settings.sections import Settings, values_of, with_values

MAX_SCENES = 128
"""As many as there are program numbers."""
MAX_NAME = 60

SOUND_KEYS = frozenset(
    {
        "audio.input",
        "audio.channels",
        "audio.gain_db",
        "model.model",
        "model.style",
        "model.centre",
        "decoder.density",
        "decoder.polyphony",
        "midi.midi_out",
        "midi.channel",
        "midi.melody_channel",
        "midi.left_channel",
        "midi.transpose",
        "midi.octave",
        "midi.velocity_curve",
        "midi.melody_octave",
        "midi.left_octave",
        "midi.lowest_key",
        "midi.highest_key",
        "midi.lowest_velocity",
        "midi.highest_velocity",
        "midi.program",
        "midi.bank",
        "time.latency",
        "accompany.ahead",
        "play.mode",
        "play.rhythm",
        "play.parts",
        "play.hands",
        "play.hand_span",
        "play.pedal",
        "beat.source",
        "beat.tempo",
        "beat.metre",
        "beat.offset",
    }
)
"""What a scene and a snapshot hold: all that makes a sound, but hold and mute."""


class Scenes:
    """The user's scenes. Every method from any thread.

    Parameters
    ----------
    settings
        Returns the present ones.
    path
        The file; None looks for the user's own at the first use.
    lasting
        Returns values without those that are never saved.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        path: Path | None = None,
        lasting: Callable[[Mapping[str, object]], dict[str, object]] = dict,
    ) -> None:
        self._settings = settings
        self._path = path
        self._lasting = lasting
        self._lock = threading.Lock()

    def names(self) -> tuple[str, ...]:
        """Return the names in order, program number 0 first. Raises ConfigError for the file."""
        with self._lock:
            return tuple(read_scenes(self._file()))

    def changes(self, scene: str | int) -> dict[str, object]:
        """Return the values of a scene that differ from the present settings.

        ``scene`` is its name or its program number. Raises ConfigError if there is none.
        """
        with self._lock:
            scenes = read_scenes(self._file())
        names = list(scenes)
        if isinstance(scene, int):
            if scene >= len(names):
                raise ConfigError(f"there is no scene for program {scene}: {len(names)} are kept")
            scene = names[scene]
        if scene not in scenes:
            known = ", ".join(names) or "none"
            raise ConfigError(f"there is no scene {scene!r}; kept are: {known}")
        now = self._settings()
        after = values_of(with_values(now, _known(scenes[scene])))
        before = values_of(now)
        return {key: value for key, value in after.items() if value != before[key]}

    def keep(self, name: str) -> None:
        """Keep the present settings under a name; one that is there is replaced, in its place.

        Raises ConfigError for an empty or too long name, or too many scenes; DataError if the file
        cannot be written.
        """
        name = " ".join(name.split())
        if not name or len(name) > MAX_NAME or not name.isprintable():
            raise ConfigError(f"a scene's name must have 1 to {MAX_NAME} letters, not {name!r:.80}")
        values = values_of(self._settings())
        with self._lock:
            scenes = read_scenes(self._file())
            if name not in scenes and len(scenes) >= MAX_SCENES:
                raise ConfigError(f"{MAX_SCENES} scenes are kept: delete one first")
            scenes[name] = self._lasting({key: values[key] for key in sorted(SOUND_KEYS)})
            write_scenes(self._file(), scenes)

    def delete(self, name: str) -> None:
        """Delete a scene; the later ones move up. Raises as :meth:`keep`, if there is none too."""
        with self._lock:
            scenes = read_scenes(self._file())
            if scenes.pop(name, None) is None:
                raise ConfigError(f"there is no scene {name!r:.80} to delete")
            write_scenes(self._file(), scenes)

    def _file(self) -> Path:
        path = self._path or scene_path()
        if path is None:
            raise ConfigError("there is no home folder to keep scenes in; set HOME to one")
        return path


def _known(values: dict[str, object]) -> dict[str, object]:
    """Return the values of settings that a scene may hold: a file of another release has others."""
    return {key: value for key, value in values.items() if key in SOUND_KEYS}
