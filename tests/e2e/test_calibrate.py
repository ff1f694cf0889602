"""``livecover calibrate`` on real servers; how exact it is, says ``livecover.bench calibrate``."""

import os
import tomllib
from pathlib import Path

import pytest

from tests.e2e import pipewire
from tests.e2e.chain import private_env, run_livecover
from tests.e2e.conftest import require
from tests.e2e.servers import PROGRAMS, pulse_server
from tests.e2e.slow_piano import measured

pytestmark = pytest.mark.e2e
KNOWN_S = 0.1


def test_an_output_is_measured_and_its_way_out_kept(tmp_path: Path) -> None:
    require(*PROGRAMS)
    with pulse_server(tmp_path, ("speakers",), sink_options="norewinds=1") as pulse:
        result = run_livecover(tmp_path, "calibrate", "--monitor", "speakers", env=pulse.env)
    assert result.returncode == 0, result.stderr
    assert "speakers is heard" in result.stdout
    kept = tomllib.loads((tmp_path / "config" / "livecover" / "config.toml").read_text())
    # its own monitor hears it as it is heard; a busy machine is some milliseconds off
    assert abs(kept["calibration"]["outputs"]["speakers"]) < 0.05


def test_a_piano_that_is_slower_by_what_is_known_is_measured_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require(*pipewire.PROGRAMS, "pactl", "jack_connect")
    if not pipewire.library_folders():
        pytest.skip("missing: pipewire-jack; run scripts/install-system test")
    with pipewire.pipewire_server(tmp_path) as server:
        for key, value in {**os.environ, **private_env(tmp_path, server.env)}.items():
            monkeypatch.setenv(key, value)
        least, slower = measured(tmp_path, server, (0.0, 1000 * KNOWN_S))
    assert abs(slower - least - KNOWN_S) < 0.02, (least, slower)
