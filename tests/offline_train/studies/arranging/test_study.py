"""The experiment on a tiny slice, from MIDI to the report, and the arranger that it leaves, run."""

from pathlib import Path

import mido
import pytest
import soundfile

from livecover.cli import main as livecover
from offline_train.cli import main
from tests.offline_train.fixtures import write_data
from tests.programs import needs


@pytest.mark.slow
@needs("fluidsynth", "mma", "espeak-ng")
@pytest.mark.usefixtures("small_sounds")
def test_the_tiny_experiment_ends_with_a_report_and_an_arranger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = write_data(tmp_path / "data", 1), tmp_path / "out"
    command = ["experiment", "arrangement", "--size", "tiny", "--threads", "1"]
    assert main([*command, "--data", str(data), "--out", str(out)]) == 0
    report = capsys.readouterr().out
    assert "| arranger |" in report and "onset F1" in report
    assert (out / "report.md").is_file() and (out / "page" / "index.html").is_file()

    (sound,) = (out / "rendered").rglob("902.flac")
    song = tmp_path / "song.wav"
    samples, rate = soundfile.read(sound)
    soundfile.write(song, samples, rate)
    midi, score = tmp_path / "song.mid", tmp_path / "song.musicxml"
    arguments = [
        "--input",
        str(song),
        "--arranger",
        "--arranger-model",
        str(out / "model"),
        "--metre",
        "4/4",
    ]
    assert livecover([*arguments, "--midi-out", str(midi), "--midi-out", str(score)]) == 0
    assert "bars of 4/4" in capsys.readouterr().out
    assert mido.MidiFile(midi).length == pytest.approx(len(samples) / rate, abs=5)
    assert score.read_text().startswith("<?xml")
