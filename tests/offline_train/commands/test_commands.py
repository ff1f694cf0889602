"""What ends a command that makes or measures something is one line and exit code two."""

from pathlib import Path

import pytest

from offline_train.cli import main
from offline_train.studies.pairs import proof
from offline_train.synthesis import song
from offline_train.synthesis.pianos import soundfont


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
