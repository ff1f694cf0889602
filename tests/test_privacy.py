"""Nothing calls home, and nothing is written where livecover has nothing to write.

Here: what each package switches off, and a cover's files. Every connection and file of a day's use
is watched in ``tests/e2e/test_privacy.py``.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from livecover import examples

SAID = ("ORT_DISABLE_TELEMETRY", "RAY_USAGE_STATS_ENABLED", "MPLCONFIGDIR", "NUMBA_CACHE_DIR")


def run(home: Path, *arguments: str, **env: str) -> str:
    """Run Python with a home of its own, and no word from outside about privacy."""
    kept = {name: value for name, value in os.environ.items() if name not in SAID}
    folders = {name: v for name, v in kept.items() if not name.startswith("XDG_")}
    home.mkdir()
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**folders, "HOME": str(home), "LOCALAPPDATA": str(home), **env},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("package", ["engine", "livecover", "offline_train"])
def test_each_package_switches_off_what_calls_home(package: str, tmp_path: Path) -> None:
    code = f"import os, {package}; print(*(os.environ[name] for name in {SAID}), sep='\\n')"
    said = run(tmp_path / "home", "-c", code, ORT_DISABLE_TELEMETRY="0").splitlines()
    assert said[:2] == ["1", "0"]
    assert all(str(tmp_path / "home") in path and "livecover" in path for path in said[2:])


def test_a_cover_leaves_nothing_in_the_home(tmp_path: Path) -> None:
    song, take = str(examples.path()), tmp_path / "take.mid"
    run(tmp_path / "home", "-m", "livecover", "--input", song, "--midi-out", str(take))
    assert take.is_file()
    assert [str(path) for path in (tmp_path / "home").rglob("*")] == []
