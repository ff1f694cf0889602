"""Settings saved: comments stay, only differences are written, and the whole file or nothing."""

import os
from dataclasses import replace
from pathlib import Path

import platformdirs
import pytest

from engine.core.errors import ConfigError
from engine.core.settings import MidiSettings, ModelSettings, TimeSettings
from livecover.settings.file import HEADER, Line, find_unsaved, save_values
from livecover.settings.sections import Settings, values_of, with_values
from livecover.settings.source import load_settings
from tests.messages import refused

SAMPLE = Path(__file__).parents[3] / "config.toml"
DEFAULTS = Settings()
CHANGED = replace(
    DEFAULTS,
    model=ModelSettings(style=(0.5,) * 24),
    midi=MidiSettings(midi_out=("Piano", "take.mid"), transpose=-2),
    time=TimeSettings(latency=0.3),
)

FILE = """\
# my stage

[midi] # where the notes go
# the organ listens here
channel = 2 # upper manual
# transpose = 5

# about time
[time]
latency = "auto"
"""


def save_all(settings: Settings, path: Path) -> Path:
    """Save every setting, as if a hand had changed them all."""
    maps = {**dict.fromkeys(DEFAULTS.control.map, "none"), **settings.control.map}
    return save_values({**values_of(settings), "control.map": maps}, path)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(platformdirs, "user_config_path", lambda *a, **k: tmp_path / "home" / "lc")


def test_a_new_file_has_what_differs_and_no_more(tmp_path: Path) -> None:
    path = save_all(CHANGED, tmp_path / "c.toml")
    text = path.read_text(encoding="utf-8")
    assert load_settings(path, {}) == CHANGED
    assert text.startswith(f"# {HEADER}\n")
    assert [line for line in text.splitlines() if line.startswith("[")] == [
        "[model]",
        "[midi]",
        "[time]",
    ]
    assert 'midi_out = ["Piano", "take.mid"]' in text and "channel" not in text


def test_comments_and_order_stay(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(FILE, encoding="utf-8")
    wanted = replace(
        DEFAULTS, midi=MidiSettings(channel=3, transpose=-2), time=TimeSettings(latency=0.3)
    )
    save_all(wanted, path)
    assert load_settings(path, {}) == wanted
    expected = FILE.replace(
        "channel = 2 # upper manual\n", "channel = 3 # upper manual\ntranspose = -2\n"
    ).replace('"auto"', "0.3")
    assert path.read_text(encoding="utf-8") == expected


def test_back_to_a_default_is_written_where_the_key_stands(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(FILE.replace('"auto"', "0.5"), encoding="utf-8")
    save_all(DEFAULTS, path)
    text = path.read_text(encoding="utf-8")
    assert "channel = 1 # upper manual" in text and 'latency = "auto"' in text
    assert load_settings(path, {}) == DEFAULTS


def test_nothing_to_change_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(SAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    save_all(DEFAULTS, path)
    assert path.read_bytes() == SAMPLE.read_bytes()


def test_the_whole_sample_keeps_its_comments(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(SAMPLE.read_bytes())
    save_all(CHANGED, path)
    before = [
        line for line in SAMPLE.read_text("utf-8").splitlines() if line.startswith(("#", "["))
    ]
    after = [line for line in path.read_text("utf-8").splitlines() if line.startswith(("#", "["))]
    assert after == before
    assert load_settings(path, {}) == CHANGED


@pytest.mark.parametrize(
    "text",
    [
        "midi.channel = 2\n",
        "midi = {channel = 2}\n",
        "[midi]\r\nchannel = 2\r\n",
        "[midi]\nchannel = 2",
        "[midi]\n# nothing yet\n\n# about time\n[time]\n",
        "",
    ],
)
def test_other_ways_to_write_a_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(text.encode())
    save_all(CHANGED, path)
    assert load_settings(path, {}) == CHANGED


def test_the_file_that_is_read_is_written_else_the_users_own(tmp_path: Path) -> None:
    changed = {"model.style": "calm"}
    assert save_values(changed) == tmp_path / "home" / "lc" / "config.toml"
    Path("livecover.toml").write_text("", encoding="utf-8")
    assert save_values(changed) == Path("livecover.toml")
    assert load_settings(None, {}).model.style == "calm"


def test_the_working_folders_file_is_not_given_what_it_cannot_set(tmp_path: Path) -> None:
    path = Path("livecover.toml")
    path.write_text(FILE, encoding="utf-8")
    values = {"midi.midi_out": ("take.mid",)}
    for act in (save_values, find_unsaved):
        with refused(ConfigError, "livecover.toml", "midi.midi_out", "--config livecover.toml"):
            act(values)
    assert path.read_text(encoding="utf-8") == FILE
    save_values(values, path)
    assert load_settings(path, {}).midi.midi_out == ("take.mid",)


def test_what_does_not_count_there_and_what_lies_beside_it_stay_as_written(tmp_path: Path) -> None:
    text = '[piano]\nplugin = "own.vst3" # mine\n'
    for path in (Path("livecover.toml"), tmp_path / "home" / "lc" / "config.toml"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        config = None if path.name == "livecover.toml" else path
        assert [line.name for line in find_unsaved({"midi.channel": 2}, config).lines] == [
            "midi.channel"
        ]
        save_values({"midi.channel": 2}, config)
        assert path.read_text(encoding="utf-8") == f"{text}\n[midi]\nchannel = 2\n"


def test_without_a_home_a_file_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_config_path", lambda *a, **k: Path("~/.config"))
    with refused(ConfigError, "home folder", "--config"):
        save_values({"model.style": "calm"})


def test_what_would_be_written_is_told_before(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(FILE, encoding="utf-8")
    values = {
        "midi.channel": 2,  # as the file says
        "midi.midi_out": ("Piano", "take.mid"),
        "time.latency": 0.3,
        "play.mute": True,
        "control.map": {"note 36": "panic", "cc 1": "none"},
    }
    found = find_unsaved(values, path)
    assert found == (
        path,
        (
            Line("play.mute", "false", "true"),
            Line("midi.midi_out", '["LiveCover"]', '["Piano", "take.mid"]'),
            Line("time.latency", '"auto"', "0.3"),
            Line('control.map."cc 1"', '"model.style"', '"none"'),
            Line('control.map."note 36"', '"none"', '"panic"'),
        ),
    )
    assert path.read_text(encoding="utf-8") == FILE
    save_values(values, path)
    assert find_unsaved(values, path).lines == ()
    assert load_settings(path, {}) == with_values(load_settings(path, {}), values)


def test_a_mark_before_the_text_does_not_hinder(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b"\xef\xbb\xbf# mine\r\n[midi]\r\nchannel = 2\r\n")
    save_values({"midi.channel": 3}, path)
    assert path.read_bytes() == b"# mine\r\n[midi]\r\nchannel = 3\r\n"


@pytest.mark.skipif(os.name == "nt", reason="links and modes are POSIX's")
def test_a_link_and_its_mode_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real.toml", tmp_path / "c.toml"
    real.write_text("", encoding="utf-8")
    real.chmod(0o640)
    link.symlink_to(real)
    save_all(CHANGED, link)
    assert link.is_symlink() and real.stat().st_mode & 0o777 == 0o640
    assert load_settings(real, {}) == CHANGED


def test_a_failure_leaves_the_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.toml"
    path.write_text(FILE, encoding="utf-8")

    def fail(*names: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with refused(ConfigError, f"{path}: ", "No space left on device", "writable", "--config"):
        save_all(CHANGED, path)
    assert path.read_text(encoding="utf-8") == FILE
    assert {p.name for p in tmp_path.iterdir()} == {"c.toml", "work"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[midi\n", ("TOML",)),
        (b"\xff\xfe", ("TOML", "UTF-8")),
        (b"[midi]\nchanel = 2\n", ("midi.chanel", "did you mean", "midi.channel")),
    ],
)
def test_a_broken_file_is_not_touched(
    tmp_path: Path, content: bytes, message: tuple[str, ...]
) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(content)
    with refused(ConfigError, f"{path}: ", *message):
        save_values({"audio.input": "mic"}, path)
    assert path.read_bytes() == content


def test_a_name_that_is_no_text_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot hold a file name that is not Unicode"):
        save_values({"midi.midi_out": ("caf\udce9.mid",)}, tmp_path / "c.toml")
    assert not (tmp_path / "c.toml").exists()


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with refused(ConfigError, "cannot read"):
        save_all(CHANGED, tmp_path)


def test_a_map_is_saved_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(
        '[control] # knobs\n[control.map]\n# my fader\n"cc 7" = "decoder.density" # left\n'
        '\n[log]\nlevel = "info"\n',
        encoding="utf-8",
    )
    lines = {"cc 64": "none", "cc 7": "model.style", "note 36": "panic"}
    wanted = with_values(load_settings(path, {}), {"control.map": lines})
    save_all(wanted, path)
    assert load_settings(path, {}) == wanted
    assert wanted.control.map == {
        "cc 1": "model.style",
        "cc 7": "model.style",
        "note 36": "panic",
        "program": "presets",
    }
    assert path.read_text(encoding="utf-8") == (
        '[control] # knobs\n[control.map]\n# my fader\n"cc 7" = "model.style" # left\n'
        '"cc 64" = "none"\n"note 36" = "panic"\n\n[log]\nlevel = "info"\n'
    )


@pytest.mark.parametrize("text", ["", "[control]\nport = 'off'\n", "[log]\nlevel = 'info'\n"])
def test_a_map_where_there_was_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text, encoding="utf-8")
    wanted = with_values(load_settings(path, {}), {"control.map": {"note 36": "panic"}})
    save_all(wanted, path)
    assert load_settings(path, {}) == wanted
    assert '[control.map]\n"note 36" = "panic"\n' in path.read_text(encoding="utf-8")
