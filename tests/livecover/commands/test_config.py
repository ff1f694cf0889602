"""``livecover config``: which file, what is in force, whether it is in order."""

from pathlib import Path

import pytest

from engine.core.errors import ConfigError
from livecover.cli import main
from livecover.commands.config import config_lines
from livecover.settings.sections import Settings, from_toml, values_of, with_values
from tests.messages import refused


def test_the_path_is_that_which_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (line,) = config_lines(["path"], None, Settings())
    assert "not there yet" in line and "config.toml" in line
    Path("livecover.toml").touch()
    assert config_lines(["path"], None, Settings()) == [str(tmp_path / "livecover.toml")]
    assert config_lines(["path"], Path("own.toml"), Settings()) == [str(tmp_path / "own.toml")]


def test_what_is_shown_is_toml_that_gives_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    values = {
        "model.style": tuple(k / 24 for k in range(24)),
        "time.latency": 0.3,
        "beat.metre": "3/4",
    }
    settings = with_values(Settings(), {**values, "control.map": {"cc 2": "panic"}})
    lines = config_lines(["show"], None, settings)
    assert from_toml("\n".join(lines).encode()) == settings
    assert 'latency = 0.3  # default: "auto"' in lines and "channel = 1" in lines
    assert len([line for line in lines if "# default" in line]) == 4
    assert main(["config", "show", "--latency", "250ms"]) == 0
    assert "latency = 0.25" in capsys.readouterr().out
    assert values_of(settings)["beat.metre"] == "3/4"


def test_a_file_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "own.toml"
    path.write_text('[midi]\nchannel = 2\n[beat]\nmetre = "auto"\n')
    (line,) = config_lines(["check"], path, Settings())
    assert "in order, 1 settings differ" in line
    path.write_text("[midi]\nchanel = 2\n")
    assert main(["config", "check", "--config", str(path)]) == 2
    assert "did you mean midi.channel" in capsys.readouterr().err
    assert main(["config", "check", "--config", str(tmp_path / "none.toml")]) == 2


@pytest.mark.parametrize("words", [[], ["paths"], ["path", "show"]])
def test_another_word_is_refused(words: list[str]) -> None:
    with refused(ConfigError, "path, show, check"):
        config_lines(words, None, Settings())
