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
from tests.messages import refused

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
        ("[adio]\n", ("[adio]", "did you mean", "[audio]")),
        (
            "[zzz]\n",
            ("[zzz]", "known", "[audio]", "[play]", "[monitor]", "[panel]", "[log]"),
        ),
        ("input = 'mic'\n", ("did you mean", "audio.input")),
        ("midi = 3\n", ("midi", "[midi]", "3")),
        (
            "[audio]\nblocksize = 64\n",
            ("audio.blocksize", "did you mean", "audio.block_size"),
        ),
        ("[audio]\nlatency = 1\n", ("audio.latency", "did you mean", "time.latency")),
        ("[log]\nq = 1\n", ("log.q", "log.level")),
        ("[audio]\nblock_size = '256'\n", ("audio.block_size", "'256'")),
        ("[audio]\nblock_size = 1.5\n", ("audio.block_size", "1.5")),
        ("[audio]\nblock_size = true\n", ("audio.block_size", "True")),
        ("[audio]\nblock_size = 1\n", ("audio.block_size", "16")),
        ("[gate]\nenabled = 1\n", ("gate.enabled", "true or false", "1")),
        ("[time]\nlatency = 'soon'\n", ("time.latency", '"auto"', "'soon'")),
        ("[midi]\nmidi_out = [1]\n", ("midi.midi_out", "[1]")),
        ("[model]\nstyle = [1, 2]\n", ("model.style", "from:FILE.mid")),
        ("[model]\nstyle = 2\n", ("model.style", "0", "1")),
        ("[model]\nstyle = true\n", ("model.style", "number", "True")),
        ("[decoder]\ndensity = 'x'\n", ("decoder.density", "'x'")),
        ("[tui]\nenabled = 1\n", ("tui.enabled", "true or false", "1")),
        ("[tui]\nseconds = 0\n", ("tui.seconds", "1", "60", "0")),
        ("[control]\nport = ' '\n", ("control.port", "text")),
        ("[control]\nchannel = 17\n", ("control.channel", "1", "16")),
        ("[control]\ntransport = 1\n", ("control.transport", "true or false", "1")),
        ("[control]\nmap = 'cc 1'\n", ("control.map", "'cc 1'")),
        ("[control.map]\n'cc 1' = 3\n", ("control.map", "{'cc 1': 3}")),
        ("[control.map]\n'cc 128' = 'panic'\n", ("control.map", "expected", "cc 0", "cc 127")),
        (
            "[control.map]\n'cc 2' = 'model.stile'\n",
            ("control.map", "cc 2", "model.stile", "did you mean", "model.style"),
        ),
        ("[arranger]\nenabled = 1\n", ("arranger.enabled", "true or false", "1")),
        ("[arranger]\nmodel = ' '\n", ("arranger.model", "text")),
        ("[log]\nlevel = 'loud'\n", ("log.level", "debug, info, warning, error")),
        ("[audio\n", ("TOML", "got")),
        ("a = " + "[" * 5000 + "]" * 5000, ("TOML", "thousands")),
        (f"a = 1{'0' * 5000}\n", ("TOML", "thousands", "digits")),
        (f"[decoder]\ndensity = 1{'0' * 400}\n", ("decoder.density", "not 10000")),
        (f"[decoder]\ndensity = 0x{'f' * 5000}\n", ("decoder.density", "a number of")),
        (f"[midi]\nchannel = {2**63}\n", ("midi.channel", str(2**63))),
        (f"[model]\nstyle = [{2**64}]\n", ("model.style", "number")),
        (f"midi = [0x{'f' * 5000}]\n", ("midi", "[midi]", "a number of")),
        ("[decoder]\ndensity = 1e400\n", ("decoder.density", "0.1", "4", "inf")),
        ("[decoder]\ndensity = nan\n", ("decoder.density", "0.1", "4", "nan")),
        ('[record]\nfolder = "a\\u0000b"\n', ("record.folder", "NUL")),
        ('["\\u001b[2J"]\n', ("[\\x1b[2J]", "known")),
        (f"{'x' * 9000} = 1\n", (f"{'x' * 80}... is not in a section",)),
        ("# " + "x" * 2**20, ("1024 kB",)),
    ],
)
def test_wrong_file(tmp_path: Path, text: str, message: tuple[str, ...]) -> None:
    path = write(tmp_path / "c.toml", text)
    with refused(ConfigError, f"{path}: ", *message):
        load_settings(path, {})


def test_no_such_file(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    with refused(ConfigError, f"{path}: ", "settings", "No such file or directory"):
        load_settings(path, {})


def test_not_text(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with refused(ConfigError, "TOML", "UTF-8"):
        load_settings(path, {})


def test_a_mark_before_the_text_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b"\xef\xbb\xbf[model]\r\nstyle = 'calm'\r\n")  # as Notepad saves it
    assert load_settings(path, {}).model.style == "calm"


def test_a_wrong_option_is_named() -> None:
    with refused(ConfigError, "midi.channel", "1", "16"):
        load_settings(None, {"midi.channel": 17})


@pytest.mark.parametrize("level", LOG_LEVELS)
def test_log_levels(level: str) -> None:
    assert LogSettings(level).level == level
