"""The command as a process whose streams are closed, full, or read no more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.messages import says

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a shell of POSIX")
FULL = Path("/dev/full")


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of sh in which ``livecover`` and ``train`` are the commands."""
    root = Path(__file__).parents[3]
    functions = (
        f'livecover() {{ "{sys.executable}" -m livecover "$@"; }}\n'
        f'train() {{ "{sys.executable}" -m offline_train "$@"; }}\n'
    )
    environment = {**os.environ, "HOME": str(folder), "PYTHONPATH": str(root)}
    environment.pop("PYTHONUNBUFFERED", None)
    return subprocess.run(
        ["sh", "-c", functions + line],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("command", ["livecover --help-all", "train --help", "livecover --version"])
def test_head_ends_it_quietly(command: str, tmp_path: Path) -> None:
    done = shell(f"{command} | true", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", ["livecover --help-all", "train --help", "livecover --version"])
def test_a_full_disk_is_one_line(command: str, tmp_path: Path) -> None:
    done = shell(f"{command} > {FULL}", tmp_path)
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert done.stderr.count("\n") == 1


def test_closed_streams_leave_the_exit_code(tmp_path: Path) -> None:
    assert shell("livecover --help <&- >&- 2>&-", tmp_path).returncode == 0
    assert shell("livecover --sing <&- >&- 2>&-", tmp_path).returncode == 2
    done = shell("livecover --sing <&- >&-", tmp_path)
    assert done.stderr.startswith("livecover: unknown option --sing")


@pytest.mark.parametrize("home", ["relative", "", "/dev/null"])
def test_a_home_that_is_none_is_no_fault(home: str, tmp_path: Path) -> None:
    done = shell(f"HOME={home} livecover --input none.wav --midi-out a.mid", tmp_path)
    assert (done.returncode, done.stderr) == (2, "livecover: no such file: none.wav\n")


def test_a_broken_library_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('DLL load failed')")
    done = shell('PYTHONPATH="$PWD:$PYTHONPATH" livecover doctor', tmp_path)
    assert done.returncode == 2
    assert "a part of the installation is missing or broken (DLL load failed)" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize("streams", ["2>&1 | true", f"> {FULL} 2>&1", f"2> {FULL}", "2>&-"])
@pytest.mark.parametrize("level", ["info", "debug"])
def test_a_log_that_cannot_be_written_is_none(streams: str, level: str, tmp_path: Path) -> None:
    words = f"--input none.wav --midi-out a.mid --record takes --log-level {level}"
    done = shell(f"livecover {words} {streams}", tmp_path)
    assert done.returncode == (0 if "|" in streams else 2)
    assert done.stderr == ""


def test_a_name_that_a_terminal_would_obey_is_written_otherwise(tmp_path: Path) -> None:
    done = shell("livecover --input \"$(printf '\\033[31m').wav\" --midi-out a.mid", tmp_path)
    says(done.stderr, "livecover: ", "\\x1b[31m.wav")


def test_the_file_of_settings_that_was_meant_is_named(tmp_path: Path) -> None:
    (tmp_path / "livecover.toml").touch()
    done = shell("livecover --config livecovr.toml", tmp_path)
    says(done.stderr, "livecovr.toml", "No such file", "did you mean", "livecover.toml")
