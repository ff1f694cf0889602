"""The experiment on a tiny slice, from MIDI to the report."""

from pathlib import Path

import pytest

from offline_train.cli import main
from tests.offline_train.fixtures import write_data, write_solo
from tests.programs import needs


@needs("fluidsynth")
@pytest.mark.usefixtures("small_sounds")
def test_the_tiny_experiment_ends_with_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_data(tmp_path / "data", 1)
    write_solo(data / "giantmidi", 5)
    command = ["experiment", "embedding", "--size", "tiny", "--threads", "1"]
    command += ["--data", str(data), "--out", str(tmp_path / "out")]
    assert main(command) == 0
    report = capsys.readouterr().out
    assert "4 unseen candidates" in report and "Dorfer et al." in report
    for name in ("report.md", "report.json", "recall.png", "snippets.png", "match.pt"):
        assert (tmp_path / "out" / name).is_file()
    assert main(command) == 0  # goes on, with nothing left to do
    assert [line.rsplit("|", 9)[:7] for line in capsys.readouterr().out.splitlines()[:8]] == [
        line.rsplit("|", 9)[:7] for line in report.splitlines()[:8]
    ]
