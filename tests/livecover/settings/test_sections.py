"""config.toml equals the dataclasses; what is wrong in a file is named, with the file and key."""

import dataclasses
import re
import tomllib
from pathlib import Path

import platformdirs
import pytest

from engine.core.errors import ConfigError
from livecover.settings.sections import LOG_LEVELS, LogSettings, Settings
from livecover.settings.source import load_settings

SAMPLE = Path(__file__).parents[3] / "config.toml"


@pytest.fixture(autouse=True)
def no_other_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working folder and an empty user's folder."""
    (tmp_path / "work").mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(platformdirs, "user_config_path", lambda *a, **k: tmp_path / "home")


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_sample_equals_the_defaults() -> None:
    assert load_settings(SAMPLE, {}) == Settings()


def test_the_sample_has_every_setting_and_no_other() -> None:
    written = {
        f"{section}.{key}"
        for section, keys in tomllib.loads(SAMPLE.read_text(encoding="utf-8")).items()
        for key in keys
    }
    defaults = Settings()
    known = {
        f"{section.name}.{key.name}"
        for section in dataclasses.fields(defaults)
        for key in dataclasses.fields(getattr(defaults, section.name))
    }
    assert written == known


def test_every_key_of_the_sample_has_a_comment_above() -> None:
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    keys = [i for i, line in enumerate(lines) if re.match(r"\w+ = ", line)]
    assert keys
    bare = [lines[i] for i in keys if not lines[i - 1].startswith("# ")]
    assert bare == []


def test_the_command_line_wins_over_the_file_over_the_defaults(tmp_path: Path) -> None:
    path = write(tmp_path / "c.toml", "[time]\nlatency = 0.4\nlate_tolerance = 0.1\n")
    settings = load_settings(path, {"time.latency": 0.3, "midi.midi_out": ["a.mid", "P"]})
    assert settings.time.latency == 0.3
    assert settings.time.late_tolerance == 0.1
    assert settings.midi.midi_out == ("a.mid", "P")
    assert settings.audio == Settings().audio


@pytest.mark.parametrize("style", ["from:take.mid", 0.25, 1])
def test_ways_to_name_a_style(tmp_path: Path, style: str | float) -> None:
    path = write(tmp_path / "c.toml", f"[model]\nstyle = {style!r}\n")
    assert load_settings(path, {}).model.style == style


def test_toml_forms(tmp_path: Path) -> None:
    path = write(
        tmp_path / "c.toml",
        f"[model]\nstyle = {[1] * 24}\n[midi]\nmidi_out = 'one.mid'\nvelocity_curve = 2\n"
        "[time]\nlatency = 1\nbacklog = 'auto'\n",
    )
    settings = load_settings(path, {})
    assert settings.model.style == (1.0,) * 24
    assert settings.midi.midi_out == ("one.mid",)
    assert settings.midi.velocity_curve == 2.0
    assert settings.time.latency == 1.0 and isinstance(settings.time.latency, float)
    assert settings.time.backlog is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[adio]\n", "unknown section [adio]; did you mean [audio]?"),
        (
            "[zzz]\n",
            "unknown section [zzz]; known: [audio], [model], [decoder],"
            " [play], [midi], [time], [gate], [record], [monitor], [piano], [arranger],"
            " [panel], [control], [tui], [log]",
        ),
        ("input = 'mic'\n", "input stands under no section; did you mean audio.input?"),
        ("midi = 3\n", "midi must be a section of keys ([midi]), not 3"),
        (
            "[audio]\nblocksize = 64\n",
            "unknown key audio.blocksize; did you mean audio.block_size?",
        ),
        ("[audio]\nlatency = 1\n", "unknown key audio.latency; did you mean time.latency?"),
        ("[log]\nq = 1\n", "unknown key log.q; known: log.level"),
        ("[audio]\nblock_size = '256'\n", "audio.block_size must be a whole number, not '256'"),
        ("[audio]\nblock_size = 1.5\n", "audio.block_size must be a whole number, not 1.5"),
        ("[audio]\nblock_size = true\n", "audio.block_size must be a whole number, not True"),
        ("[audio]\nblock_size = 1\n", "audio.block_size must be a whole number from 16"),
        ("[gate]\nenabled = 1\n", "gate.enabled must be true or false, not 1"),
        ("[time]\nlatency = 'soon'\n", "time.latency must be a number or \"auto\", not 'soon'"),
        ("[midi]\nmidi_out = [1]\n", "midi.midi_out must be a list of texts, not [1]"),
        ("[model]\nstyle = [1, 2]\n", "model.style must be a preset's name, from:FILE.mid, a"),
        ("[model]\nstyle = 2\n", "model.style must be a number from 0 to 1 (calm to intense)"),
        ("[model]\nstyle = true\n", "model.style must be text or a number or a list of numbers,"),
        ("[decoder]\ndensity = 'x'\n", "decoder.density must be a number, not 'x'"),
        ("[tui]\nenabled = 1\n", "tui.enabled must be true or false, not 1"),
        ("[tui]\nseconds = 0\n", "tui.seconds must be a number from 1 to 60 s, not 0"),
        ("[control]\nport = ' '\n", "control.port must be text that is not empty, not ' '"),
        ("[control]\nchannel = 17\n", "control.channel must be a whole number from 1 to 16, not"),
        ("[control]\ntransport = 1\n", "control.transport must be true or false, not 1"),
        ("[control]\nmap = 'cc 1'\n", "control.map must be a table of texts, not 'cc 1'"),
        ("[control.map]\n'cc 1' = 3\n", "control.map must be a table of texts, not {'cc 1': 3}"),
        ("[control.map]\n'cc 128' = 'panic'\n", "control.map: expected cc 0 to cc 127,"),
        (
            "[control.map]\n'cc 2' = 'model.stile'\n",
            'control.map: "cc 2" = "model.stile": expected a setting that a controller'
            " can control, got 'model.stile'; did you mean model.style?",
        ),
        ("[arranger]\nenabled = 1\n", "arranger.enabled must be true or false, not 1"),
        ("[arranger]\nmodel = ' '\n", "arranger.model must be text that is not empty, not ' '"),
        ("[log]\nlevel = 'loud'\n", "log.level must be one of debug, info, warning, error, not"),
        ("[audio\n", "expected TOML, section by section, got: "),
        ("a = " + "[" * 5000 + "]" * 5000, "expected TOML, section by section, got thousands of"),
        (f"a = 1{'0' * 5000}\n", "expected TOML, section by section, got thousands of digits"),
        (f"[decoder]\ndensity = 1{'0' * 400}\n", "decoder.density must be a number, not 10000"),
        (f"[decoder]\ndensity = 0x{'f' * 5000}\n", "decoder.density must be a number, not a numb"),
        (f"[midi]\nchannel = {2**63}\n", "midi.channel must be a whole number, not 9223372036"),
        (f"[model]\nstyle = [{2**64}]\n", "model.style must be text or a number or a list of"),
        (f"midi = [0x{'f' * 5000}]\n", "midi must be a section of keys ([midi]), not a number of"),
        ("[decoder]\ndensity = 1e400\n", "decoder.density must be a number from 0.1 to 4, not inf"),
        ("[decoder]\ndensity = nan\n", "decoder.density must be a number from 0.1 to 4, not nan"),
        ('[record]\nfolder = "a\\u0000b"\n', "record.folder must be text without a NUL character"),
        ('["\\u001b[2J"]\n', "unknown section [\\x1b[2J]; known: "),
        (f"{'x' * 9000} = 1\n", f"{'x' * 80}... stands under no section"),
        ("# " + "x" * 2**20, "a file of settings has at most 1024 kB"),
    ],
)
def test_wrong_file(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "c.toml", text)
    with pytest.raises(ConfigError) as caught:
        load_settings(path, {})
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_no_such_file(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    with pytest.raises(ConfigError) as caught:
        load_settings(path, {})
    assert str(caught.value) == (
        f"{path}: cannot read this file of settings (No such file or directory)"
    )


def test_not_text(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="expected TOML in UTF-8, and this is in another encodi"):
        load_settings(path, {})


def test_a_mark_before_the_text_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b"\xef\xbb\xbf[model]\r\nstyle = 'calm'\r\n")  # as Notepad saves it
    assert load_settings(path, {}).model.style == "calm"


def test_a_wrong_option_is_named() -> None:
    with pytest.raises(ConfigError, match="^midi.channel must be a whole number from 1 to 16"):
        load_settings(None, {"midi.channel": 17})


@pytest.mark.parametrize("level", LOG_LEVELS)
def test_log_levels(level: str) -> None:
    assert LogSettings(level).level == level
