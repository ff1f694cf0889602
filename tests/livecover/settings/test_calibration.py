"""What was measured of ways out: in the file, by name, with a nudge."""

from pathlib import Path

import pytest

from engine.core.errors import ConfigError
from livecover.settings.file import find_unsaved, save_values
from livecover.settings.sections import Settings, with_values
from livecover.settings.source import load_settings
from tests.messages import refused


def test_it_is_kept_by_the_output_s_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    save_values({"calibration.outputs": {"LiveCover": 0.034}}, path)
    save_values({"calibration.outputs": {"USB: 2 Ports": 0.1}}, path)
    (line,) = find_unsaved({"calibration.outputs": {"LiveCover": 0.04}}, path).lines
    assert line == ('calibration.outputs."LiveCover"', "0.034", "0.04")
    own = load_settings(path, {"calibration.nudge": 0.02}).calibration
    assert own.outputs == {"LiveCover": 0.034, "USB: 2 Ports": 0.1}
    assert own.way_out("LiveCover") == pytest.approx(0.054)
    assert own.way_out("another") == 0.02


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"calibration.nudge": 2}, ("calibration.nudge", "-0.5 to 0.5", "2")),
        ({"calibration.outputs": {"A": 7}}, ("calibration.outputs", '"A"', "-0.2 to 2", "7")),
        ({"calibration.outputs": {"A": "x"}}, ("calibration.outputs", "numbers")),
    ],
)
def test_what_is_no_way_out(values: dict[str, object], parts: tuple[str, ...]) -> None:
    with refused(ConfigError, *parts):
        with_values(Settings(), values)
