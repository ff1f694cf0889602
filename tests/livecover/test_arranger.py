"""``--arranger``: what it takes, and what it says to the rest."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from livecover.cli import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input", "mic"], "--arranger takes a whole song: give --input FILE, not 'mic'"),
        (["--midi-out", "LiveCover"], "--arranger writes files: give --midi-out FILE.mid or"),
        (["--arranger-model", "nobody"], "no arranger 'nobody': expected a folder with"),
    ],
)
def test_what_does_not_fit_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    song = tmp_path / "song.wav"
    soundfile.write(song, np.zeros(16000, np.float32), 16000)
    first = ["--input", str(song), "--midi-out", str(tmp_path / "song.mid")]
    given = arguments if arguments[0] == "--midi-out" else [*first[2:], *arguments]
    command = ["--arranger", *given] if "--input" in given else ["--arranger", *first[:2], *given]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
