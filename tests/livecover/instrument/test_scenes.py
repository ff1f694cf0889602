"""Scenes are kept in a file, and come back as they were."""

from pathlib import Path

import pytest

from engine.core.errors import ConfigError
from livecover.instrument import scenes as subject
from livecover.instrument.scenes import SOUND_KEYS, Scenes
from livecover.settings.scene_file import HEADER
from livecover.settings.sections import Settings, values_of, with_values
from tests.messages import refused


class Band:
    """Settings that a test changes, and the scenes of them."""

    def __init__(self, path: Path) -> None:
        self.settings = Settings()
        self.scenes = Scenes(lambda: self.settings, path)

    def set(self, **values: object) -> None:
        changes = {name.replace("__", "."): value for name, value in values.items()}
        self.settings = with_values(self.settings, changes)


@pytest.fixture
def band(tmp_path: Path) -> Band:
    return Band(tmp_path / "new" / "scenes.toml")


def test_a_scene_brings_back_every_setting_of_a_sound(band: Band, tmp_path: Path) -> None:
    style = tuple(k / 24 for k in range(24))
    band.set(model__style=style, midi__transpose=3, time__latency=0.3, play__mute=True)
    kept = values_of(band.settings)
    band.scenes.keep("  Verse   one ")
    band.set(
        model__style="calm", midi__transpose=0, time__latency=None, play__mute=False
    )  # a new latency is "auto", which TOML has no word for
    band.scenes.keep("Chorus")
    assert band.scenes.names() == ("Verse one", "Chorus")
    assert band.scenes.changes("Chorus") == {}
    for scene in ("Verse one", 0):
        changes = band.scenes.changes(scene)
        assert changes == {
            "model.style": style,
            "midi.transpose": 3,
            "time.latency": 0.3,
        }
    assert {key: kept[key] for key in changes} == changes and set(changes) < SOUND_KEYS
    again = Band(tmp_path / "new" / "scenes.toml")  # another start
    assert again.scenes.names() == ("Verse one", "Chorus")
    assert HEADER in (tmp_path / "new" / "scenes.toml").read_text()


def test_scenes_are_replaced_in_their_place_and_deleted(band: Band) -> None:
    for name in ("a", "b", "c"):
        band.scenes.keep(name)
    band.set(midi__octave=1)
    band.scenes.keep("b")
    assert band.scenes.names() == ("a", "b", "c")
    band.set(midi__octave=0)
    assert band.scenes.changes(1) == {"midi.octave": 1}
    band.scenes.delete("a")
    assert band.scenes.names() == ("b", "c")


def test_what_is_not_there_or_wrong_is_told(band: Band, monkeypatch: pytest.MonkeyPatch) -> None:
    band.scenes.keep("Verse")
    with refused(ConfigError, "'Intro'", "kept are: Verse"):
        band.scenes.changes("Intro")
    with refused(ConfigError, "program 5", "1 are kept"):
        band.scenes.changes(5)
    with refused(ConfigError, "'Intro'"):
        band.scenes.delete("Intro")
    for name in ("", " ", "x" * 61, "a\x1bb"):
        with refused(ConfigError, "1 to 60 letters"):
            band.scenes.keep(name)
    monkeypatch.setattr(subject, "MAX_SCENES", 1)
    with refused(ConfigError, "1 scenes", "delete one"):
        band.scenes.keep("Chorus")


@pytest.mark.parametrize("text", ["[[scene", '[[scene]]\nname = "x"', "scene = 3", "\udcff"])
def test_a_broken_file_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "scenes.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with refused(ConfigError, "scenes.toml", "mend the file"):
        Band(path).scenes.names()


def test_a_file_of_another_release_may_hold_other_settings(tmp_path: Path) -> None:
    path = tmp_path / "scenes.toml"
    lines = ['"midi.octave" = 1', '"play.mute" = true', '"a.b" = 2']
    path.write_text("\n".join(["[[scene]]", 'name = "x"', "[scene.settings]", *lines]))
    assert Band(path).scenes.changes("x") == {"midi.octave": 1}
