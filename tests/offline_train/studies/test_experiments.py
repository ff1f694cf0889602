"""What every experiment shares: names, sizes, rows, and whose folder it is."""

from pathlib import Path

import pytest

from engine.core.errors import ConfigError
from offline_train.studies.experiments import ExperimentConfig, check_rows, run_experiment
from tests.messages import refused


def test_minutes_and_rows_are_for_those_that_the_clock_ends(tmp_path: Path) -> None:
    config = ExperimentConfig(tmp_path, tmp_path / "out", "tiny", minutes=3)
    with refused(ConfigError, "minutes", "rows", "arrangement", "embedding"):
        run_experiment("vision", config)
    assert not (tmp_path / "out").exists()


def test_unknown_row_is_named_beside_those_there_are() -> None:
    with refused(ConfigError, "rows", "average", "register", "other"):
        check_rows(("register", "other"), ("average", "register"))


def test_folder_of_another_experiment_is_refused(tmp_path: Path) -> None:
    (tmp_path / "experiment.json").write_text('{"name": "vision", "size": "tiny", "seed": 1}')
    with pytest.raises(ConfigError, match="holds experiment .*vision"):
        run_experiment("transfer", ExperimentConfig(tmp_path, tmp_path, "tiny"))
