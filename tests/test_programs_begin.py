"""A program's libraries are loaded within the boundary: one line where one is missing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = ("livecover", "livecover.bench", "livecover.demo", "offline_train")
HELPERS = (
    "engine.midi.ports.jack_child",
    "livecover.bench.panel_reader",
)  # begun by other programs
ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_missing_library_is_one_line(program: str, tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text('raise ModuleNotFoundError("no numpy", name="numpy")')
    done = begun(program, tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "a part of the installation is missing or broken (no numpy)" in done.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_interrupt_meanwhile_is_no_traceback(program: str, tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise KeyboardInterrupt")
    done = begun(program, tmp_path)
    assert (done.returncode, done.stdout) == (130, "") and "Traceback" not in done.stderr


def begun(program: str, before: Path) -> subprocess.CompletedProcess[str]:
    """Run a program that finds ``before``'s modules first, and the checkout's then."""
    code = (
        f"import sys, runpy; sys.path[:0] = [{str(before)!r}, {str(ROOT)!r}];"
        f" runpy.run_module({program!r}, run_name='__main__')"
    )
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_every_program_is_here() -> None:
    """What can be run as a module is in one of the lists above."""
    rooms = ("engine", "livecover", "models", "offline_train")
    paths = [path.relative_to(ROOT) for room in rooms for path in (ROOT / room).rglob("*.py")]
    programs = {
        ".".join(path.with_suffix("").parts).removesuffix(".__main__")
        for path in paths
        if is_program(ROOT / path)
    }
    assert programs == {*PROGRAMS, *HELPERS}


def is_program(path: Path) -> bool:
    """Return whether a file does something when it is run: not where it only writes one."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    tests = (ast.unparse(node.test) for node in body if isinstance(node, ast.If))
    return "__name__ == '__main__'" in tests
