"""Which file is read, and what a stranger's may not set."""

import dataclasses
import os
from pathlib import Path
from typing import get_args, get_type_hints

import platformdirs
import pytest

from engine.core.errors import ConfigError
from livecover.settings.sections import Settings
from livecover.settings.source import Source, find_source, load_settings, read_settings
from livecover.settings.trust import ALWAYS, is_reserved
from tests.messages import refused, says

HUGO = 'baseURL = "https://example.org/"\ntitle = "My site"\n[params]\nlatency = "a lot"\n'


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working folder and an empty user's folder."""
    (tmp_path / "work").mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(platformdirs, "user_config_path", lambda *a, **k: tmp_path / "home")


def write(path: str | Path, text: str) -> Path:
    Path(path).write_text(text, encoding="utf-8")
    return Path(path)


def test_given_then_working_folder_then_user_folder(tmp_path: Path) -> None:
    assert find_source() == Source(None)
    write(tmp_path / "home" / "config.toml", "[midi]\nchannel = 2\n")
    assert load_settings(None, {}).midi.channel == 2
    write("livecover.toml", "[midi]\nchannel = 3\n")
    assert load_settings(None, {}).midi.channel == 3
    given = write(tmp_path / "given.toml", "[midi]\nchannel = 4\n")
    assert load_settings(given, {}).midi.channel == 4


@pytest.mark.parametrize(
    "content",
    [HUGO, "no TOML", "a = " + "[" * 5000, "\x00", "[midi]\nchannel = 'two'\n", ""],
)
def test_a_config_toml_of_others_is_as_if_it_were_not_there(content: str) -> None:
    write("config.toml", content)
    assert read_settings(find_source()) == (Settings(), ())


def test_one_that_speaks_of_livecover_is_told_how_to_count() -> None:
    write("config.toml", '[piano]\nplugin = "./evil.vst3"\n[panel]\nhost = "0.0.0.0"\n')
    settings, (note,) = read_settings(find_source())
    assert settings == Settings()
    says(note, "config.toml", "not read", "livecover.toml", "--config config.toml")


def test_the_users_own_is_read_wherever_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = write(tmp_path / "home" / "config.toml", '[piano]\nplugin = "/opt/own.vst3"\n')
    monkeypatch.chdir(own.parent)
    settings, notes = read_settings(find_source())
    assert settings.piano.plugin == "/opt/own.vst3" and notes == ()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[piano]\nplugin = "./evil.vst3"\n', "piano.plugin"),
        ('[panel]\nhost = "0.0.0.0"\n', "panel.host"),
        ("[panel]\nport = 80\n", "panel.port"),
        ('[record]\nfolder = "/home/somebody/.config/autostart"\n', "record.folder"),
        ('[midi]\nmidi_out = ["Piano", "thesis.mid"]\n', "midi.midi_out"),
        ('[midi]\nmidi_out = "score.musicxml"\n', "midi.midi_out"),
        ('[model]\nmodel = "./evil.onnx"\n', "model.model"),
        ('[model]\nmodel = "evil/model"\n', "model.model"),
        ('[model]\nmodel = "C:evil"\n', "model.model"),
        ('[arranger]\nmodel = "evil"\n', "arranger.model"),
        ('[audio]\ninput = "\\\\\\\\evil.example\\\\share\\\\song.wav"\n', "audio.input"),
        ('[model]\nstyle = "from://evil.example/share/a.mid"\n', "model.style"),
        ('[piano]\nsoundfont = "//evil.example/a.sf2"\n', "piano.soundfont"),
    ],
)
def test_what_the_working_folders_file_cannot_set(text: str, name: str, tmp_path: Path) -> None:
    write("livecover.toml", "[decoder]\ndensity = 0.5\n" + text)
    settings, (note,) = read_settings(find_source())
    assert dataclasses.replace(settings, decoder=Settings().decoder) == Settings()
    assert settings.decoder.density == 0.5
    says(note, "livecover.toml", name, "--config livecover.toml")
    given = read_settings(find_source(Path("livecover.toml")))
    own = read_settings(Source(write(tmp_path / "home" / "config.toml", text)))
    assert given.settings != settings and given.notes == own.notes == ()


@pytest.mark.parametrize("is_given", [True, False])
def test_what_a_file_loads_lies_beside_it(is_given: bool, tmp_path: Path) -> None:
    text = (
        '[model]\nmodel = "mine.onnx"\n[piano]\nplugin = "vst/own.vst3"\nsoundfont = "~/a.sf2"\n'
        '[audio]\ninput = "song.wav"\n[record]\nfolder = "takes"\n'
    )
    folder = tmp_path / ("given" if is_given else "home")
    folder.mkdir(exist_ok=True)
    path = write(folder / "config.toml", text)
    settings = load_settings(path if is_given else None, {})
    assert settings.model.model == str(folder / "mine.onnx")
    assert settings.piano.plugin == str(folder / "vst/own.vst3")
    assert settings.piano.soundfont == "~/a.sf2" and settings.arranger.model == "arranger"
    assert settings.audio.input == "song.wav" and settings.record.folder == "takes"
    assert load_settings(path, {"model.model": "a.onnx"}).model.model == "a.onnx"  # as typed


def test_all_that_is_left_out_is_named_in_one_line() -> None:
    write("livecover.toml", '[piano]\nplugin = "a"\n[panel]\nport = 1\nhost = "127.0.0.1"\n')
    (note,) = read_settings(find_source()).notes
    assert "cannot set piano.plugin, panel.port, which" in note


def test_a_wrong_key_in_the_working_folders_file_is_an_error() -> None:
    write("livecover.toml", "[time]\nlatncy = 0.3\n")
    with refused(ConfigError, "livecover.toml", "time.latncy", "did you mean", "time.latency"):
        load_settings(None, {})


@pytest.mark.skipif(os.name == "nt", reason="links are POSIX's")
def test_a_link_to_a_trusted_file_is_the_working_folders_all_the_same(tmp_path: Path) -> None:
    own = write(tmp_path / "home" / "config.toml", '[piano]\nplugin = "/opt/own.vst3"\n')
    Path("livecover.toml").symlink_to(own)
    settings, notes = read_settings(find_source())
    assert settings.piano.plugin is None and len(notes) == 1


def test_files_above_the_working_folder_are_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    write("livecover.toml", "[midi]\nchannel = 3\n")
    Path("below").mkdir()
    monkeypatch.chdir("below")
    assert find_source() == Source(None)


def test_without_a_home_no_folder_here_is_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_config_path", lambda *a, **k: Path("~/.config"))
    Path("~/.config").mkdir(parents=True)
    write("~/.config/config.toml", '[piano]\nplugin = "./evil.vst3"\n')
    assert read_settings(find_source()) == (Settings(), ())


HARMLESS = {
    "log.status": "one of two words",
    "audio.input": "read only; a path on another host is reserved",
    "model.style": "the same",
    "piano.soundfont": "the same",
    "audio.player": "a program's name; its sound is put back at the end",
    "model.provider": "one of a few words",
    "play.parts": "one of a few words",
    "play.rhythm": "one of a few words",
    "play.pedal": "one of a few words",
    "midi.velocity_curve": "one of a few words",
    "beat.metre": "one of a few words",
    "beat.source": "one of a few words",
    "play.mode": "one of a few words",
    "accompany.hears_itself": "one of a few words",
    "log.level": "one of a few words",
    "monitor.device": "an output of this machine",
    "piano.device": "an output of this machine",
    "control.port": "a MIDI port",
    "calibration.outputs": "seconds by the names of outputs",
    "sync.midi_out": "a MIDI port, never a file; it gets clock alone",
    "control.map": "settings that a controller may drive",
}
"""Texts that the working folder's file may set, and why."""


def test_every_text_is_known_to_be_reserved_or_harmless() -> None:
    texts = {
        f"{section.name}.{key}"
        for section in dataclasses.fields(Settings)
        for key, hint in get_type_hints(type(getattr(Settings(), section.name))).items()
        if str in (hint, *get_args(hint)) or hint == tuple[str, ...]
    }
    known = {*HARMLESS, *ALWAYS, "model.model", "midi.midi_out"}
    assert texts - known == set(), (
        "say in livecover/settings/trust.py, or above, what a stranger may do"
    )
    assert ALWAYS - texts == {"panel.port", "panel.keep_address", "sync.link"}
    assert not any(is_reserved(name, "USB Audio") for name in HARMLESS)
