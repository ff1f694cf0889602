"""The commands beside ``livecover-train``: what ends them is one line and an exit code."""

from collections.abc import Callable
from pathlib import Path

import pytest

from offline_train.studies.pairs import proof
from offline_train.synthesis import song
from offline_train.synthesis.pianos import soundfont


@pytest.mark.parametrize(
    ("main", "option"), [(song.main, None), (soundfont.main, "--out"), (proof.main, "--data")]
)
def test_an_error_is_one_line_and_exit_code_two(
    main: Callable[[list[str]], int],
    option: str | None,
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
    path = "file/out"
    assert main([path] if option is None else [option, path]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "Traceback" not in told, told
