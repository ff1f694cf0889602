"""What a page asks for is done here, one thing after the other, on a thread of the desk's own.

Not here: how a page's words are read (``livecover.panel.messages``), nor who gets the answers
(``livecover.panel.hub``).
"""

import dataclasses
import hashlib
import io

from engine.core.errors import ConfigError
from engine.cover.style import parse_style
from livecover.panel.bound import forgotten
from livecover.panel.choices import Offer, find_choices
from livecover.panel.messages import Change, Do, Save, StyleFile, encode_one
from livecover.panel.played import Played
from livecover.panel.snapshots import Snapshots

Message = dict[str, object]
Deed = Change | Do | Save | StyleFile


class Desk:
    """Does what pages ask of an instrument.

    Parameters
    ----------
    played
        The instrument.
    """

    def __init__(self, played: Played) -> None:
        self._played = played
        self.snapshots = Snapshots(played)
        self.offer = Offer()
        self.offer.note(played.settings)

    def do(self, deed: Deed) -> Message | None:
        """Do it, and return what the page that asked should be told, if anything.

        May take seconds, where a device or a model is opened.

        Raises
        ------
        LiveCoverError
            It cannot be done, or is not offered to a page; all is as it was.
        """
        match deed:
            case Change(values):
                self.offer.check(values)
                self._played.change(values)
            case StyleFile(name, content):
                style = parse_style(name, io.BytesIO(content))
                self._played.change({"model.style": tuple(map(float, style))})
            case Do("learn", key):
                self._played.learn(None if self._played.learning == key else key)
            case Do("snapshot", name):
                self.snapshots.choose(name)
            case Save(shown):
                return self._save(shown)
            case Do("forget", key):
                self._played.change({"control.map": forgotten(self._played.settings, key)})
            case Do(action):
                return self._act(action)
        return None

    def refresh(self) -> Message:
        """Look for what there is to choose from, and return it. May take seconds; never raises."""
        self.offer.choices = find_choices()
        return {"type": "choices", "choices": self.offer.choices.as_message()}

    def settings(self) -> dict[str, object]:
        """Return every setting, section by section, as plain values. Any thread."""
        settings = self._played.settings
        self.offer.note(settings)
        return dataclasses.asdict(settings)

    def _act(self, action: str) -> Message | None:
        played = self._played
        match action:
            case "start":
                played.start()
            case "stop":
                played.stop()
            case "panic":
                played.panic()
            case "record":
                played.record(True)
            case "end_record":
                played.record(False)
            case "copy_snapshot":
                self.snapshots.copy()
            case "unsaved":
                return self._unsaved()
            case "refresh":
                return self.refresh()
            case _:
                raise ConfigError(f"unknown action {action!r}")
        return None

    def _unsaved(self) -> Message:
        """Return what saving would write now."""
        path, lines = self._played.unsaved()
        message: Message = {"type": "unsaved", "path": str(path), "lines": [*map(list, lines)]}
        return {**message, "id": hashlib.sha256(encode_one(message).encode()).hexdigest()}

    def _save(self, shown: str) -> Message:
        """Write what was shown. Raises ConfigError where it is something else by now."""
        if self._unsaved()["id"] != shown:
            raise ConfigError("nothing was saved: settings have changed since they were shown")
        return {"type": "saved", "path": str(self._played.save())}
