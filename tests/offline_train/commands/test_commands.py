"""What ends a command that makes or measures something is one line and exit code two."""

from pathlib import Path

import pytest

from engine.core.settings import DecoderSettings, EngineSettings, ModelSettings, PlaySettings
from offline_train.cli import main
from offline_train.commands.evaluate import playing_settings
from offline_train.studies.pairs import proof
from offline_train.synthesis import song
from offline_train.synthesis.pianos import soundfont
from tests.messages import says
from tests.offline_train.fixtures import write_data


@pytest.mark.parametrize(
    "command",
    [
        ["example-song", "file/out"],
        ["soundfont", "--out", "file/out"],
        ["prove-pairs", "--data", "file/out"],
    ],
)
def test_an_error_is_one_line_and_exit_code_two(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("arrange_song", "beat_times", "render_song", "write_ogg"):
        monkeypatch.setattr(song, name, lambda *_: [0.0])
    for module, name in ((soundfont, "ensure_salamander"), (soundfont, "make_soundfont")):
        monkeypatch.setattr(module, name, lambda *_: b"")
    monkeypatch.setattr(soundfont, "Piano", lambda *_: type("Piano", (), {}))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert main(command) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "Traceback" not in told, told


def test_bars_that_do_not_hold_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    share = {"true notes within 50 ms": 0.99, "transcribed notes within 50 ms": 0.94}
    monkeypatch.setattr(proof, "prove_songs", lambda *_: ("the table", share))
    command = ["prove-pairs", "--data", str(tmp_path), "--json", str(tmp_path / "facts.json")]
    assert main(command) == 2
    said = capsys.readouterr()
    assert said.out == "the table\n" and "expected 95% of the notes" in said.err
    assert (tmp_path / "facts.json").is_file()
    share["transcribed notes within 50 ms"] = 0.96
    assert main(command) == 0


def test_how_it_plays_is_set_as_in_a_settings_file() -> None:
    values = {"play.hands": True, "decoder.density": 0.5, "play.parts": "melody"}
    assert playing_settings(values, "calm") == EngineSettings(
        model=ModelSettings(style="calm"),
        play=PlaySettings(hands=True, parts="melody"),
        decoder=DecoderSettings(density=0.5),
    )


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("play.hands", ("KEY=VALUE", "play.hands")),
        ("play.hand=true", ("play.hand", "play.hands")),
        ("decoder.density=soon", ("decoder.density", "a number", "'soon'")),
    ],
)
def test_a_wrong_setting_is_told(
    line: str, parts: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "--rung", "folder", "--recordings", "nowhere", "--set", line]
    assert main(command) == 2
    says(capsys.readouterr().err, *parts)


def test_the_humans_figures_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path)
    assert main(["human-figures", "--data", str(tmp_path), "--split", "train"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('    "notes_a_second": Spread(')
